// The linear algebra library that scipy has, by the addresses that scipy gives out.
#pragma once

namespace skmixed {

struct Blas {
    void (*dtrmm)(char *side, char *uplo, char *trans, char *diag, int *m, int *n, double *alpha, double *A, int *lda,
                  double *B, int *ldb);
    void (*dsyrk)(char *uplo, char *trans, int *n, int *k, double *alpha, double *A, int *lda, double *beta, double *C,
                  int *ldc);
    void (*dgemm)(char *transA, char *transB, int *m, int *n, int *k, double *alpha, double *A, int *lda, double *B,
                  int *ldb, double *beta, double *C, int *ldc);
    void (*dpotrf)(char *uplo, int *n, double *A, int *lda, int *info);
    void (*dtrtri)(char *uplo, char *diag, int *n, double *A, int *lda, int *info);
};

extern Blas blas;  // empty until Python hands the addresses over

}  // namespace skmixed
