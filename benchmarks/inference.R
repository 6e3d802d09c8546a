# What follows a fit in R, timed: arguments are a folder with sleepstudy.csv and nlswork.csv, and the number of runs.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich)})
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
runs <- as.integer(arguments[2])
sleep <- read.csv(file.path(folder, "sleepstudy.csv"))
wages <- read.csv(file.path(folder, "nlswork.csv"))
sleep$Subject <- factor(sleep$Subject)
wages$idcode <- factor(wages$idcode)
small <- lme4::lmer(Reaction ~ Days + (1 + Days | Subject), sleep)
small_ml <- lme4::lmer(Reaction ~ Days + (1 + Days | Subject), sleep, REML = FALSE)
large <- lmerTest::lmer(ln_wage ~ ttl_exp + black + other + age + (1 | idcode), wages)
large4 <- lme4::lmer(ln_wage ~ ttl_exp + black + other + age + (1 | idcode), wages)
cases <- list(
  satterthwaite_nlswork = function() coef(summary(lmerTest::as_lmerModLmerTest(large4))),
  kenward_roger_sleepstudy = function() coef(summary(lmerTest::as_lmerModLmerTest(small), ddf = "Kenward-Roger")),
  cr2_sleepstudy = function() coef_test(small, vcov = "CR2"),
  cr2_nlswork = function() coef_test(large4, vcov = "CR2"),
  profile_sleepstudy = function() suppressMessages(confint(small_ml, method = "profile")),
  bootstrap_sleepstudy = function() suppressWarnings(suppressMessages(bootMer(small, fixef, nsim = 1000)))
)
for (name in names(cases)) {
  times <- replicate(runs, system.time(try(cases[[name]](), silent = TRUE))["elapsed"])
  cat(name, median(times), "\n")
}
