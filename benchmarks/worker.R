# The process of one R engine: requests come in and answers go out as lines of JSON, as in worker.py.
suppressPackageStartupMessages(library(jsonlite))

read_column <- function(folder, name, kind, rows)
  readBin(file.path(folder, paste0(name, ".bin")), kind, rows, endian = "little")

read_columns <- function(folder) {
  about <- fromJSON(file.path(folder, "columns.json"))
  values <- Map(function(name, kind) read_column(folder, name, kind, about$rows), names(about$kinds), about$kinds)
  as.data.frame(values, optional = TRUE)
}

# Grouping columns become factors here, outside the time of the fit.
open_session <- function(request) {
  data <- read_columns(request$folder)
  for (name in names(request$case$factors)) data[[name]] <- factor(data[[name]])
  suppressPackageStartupMessages(library(request$open, character.only = TRUE))
  list(data = data, formula = as.formula(request$case$formula), reml = request$case$method == "reml",
       points = request$case$points, fit = FITS[[request$open]][[request$case$family]], engine = request$open)
}

fit_lmer <- function(session) lmer(session$formula, session$data, REML = session$reml)

fit_glmer <- function(session) glmer(session$formula, session$data, family = binomial, nAGQ = session$points)

fit_glmmTMB <- function(session) glmmTMB(session$formula, session$data, REML = session$reml)

fit_glmmTMB_logistic <- function(session) glmmTMB(session$formula, session$data, family = binomial)

FITS <- list(lme4 = list(gaussian = fit_lmer, binomial = fit_glmer),
             glmmTMB = list(gaussian = fit_glmmTMB, binomial = fit_glmmTMB_logistic))

describe <- function(session)
  list(version = as.character(packageVersion(session$engine)),
       threads = paste("BLAS", basename(extSoftVersion()[["BLAS"]])))

timed_fit <- function(session) {
  warned <- character()
  remember <- function(w) { warned <<- c(warned, conditionMessage(w)); invokeRestart("muffleWarning") }
  invisible(gc())
  cpu <- sum(proc.time()[1:2]); start <- Sys.time()
  model <- withCallingHandlers(session$fit(session), warning = remember)
  seconds <- as.numeric(Sys.time() - start, units = "secs")
  list(seconds = seconds, cpu = sum(proc.time()[1:2]) - cpu, loglik = as.numeric(logLik(model)),
       warning = if (length(warned)) strsplit(warned[1], "\n")[[1]][1] else "")
}

session <- NULL
answer <- function(request) {
  if (is.null(request$open)) return(timed_fit(session))
  session <<- open_session(request)
  describe(session)
}

requests <- file("stdin", "r")
while (length(line <- readLines(requests, n = 1)) > 0) {
  reply <- tryCatch(answer(fromJSON(line)), error = function(e) list(error = conditionMessage(e)))
  cat(toJSON(reply, auto_unbox = TRUE, digits = NA), "\n", sep = "")
  flush(stdout())
}
