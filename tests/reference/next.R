# Three levels and crossed groups by lme4, for tests/claims/claims_next.py: its own data sets Pastes and Penicillin
# (Bates, Maechler, Bolker & Walker, 2015, J. Stat. Softw. 67(1)). Run from the root: Rscript tests/reference/next.R
suppressPackageStartupMessages(library(lme4))
output <- "tests/reference/next.json"
variances <- function(fit) { v <- as.data.frame(VarCorr(fit)); setNames(as.list(v$vcov), v$grp) }
nested <- lmer(strength ~ 1 + (1 | batch/cask), Pastes)
crossed <- lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin)
text <- function(data) lapply(data, function(x) if (is.factor(x)) as.character(x) else x)
out <- list(
  nested = list(data = text(Pastes[c("strength", "batch", "cask")]), variances = variances(nested)),
  crossed = list(data = text(Penicillin[c("diameter", "plate", "sample")]), variances = variances(crossed))
)
writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE), output)
cat("wrote", output, "\n")
