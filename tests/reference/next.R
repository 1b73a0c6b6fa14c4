# Three levels, crossed groups and a binary outcome by lme4 and glmmTMB, for tests/claims/claims_beyond.py and
# claims_next.py: lme4's own data sets Pastes and Penicillin (Bates, Maechler, Bolker & Walker, 2015, J. Stat. Softw.
# 67(1)) and the course's. Run from the root: Rscript tests/reference/next.R
suppressPackageStartupMessages(library(lme4))
output <- "tests/reference/next.json"
variances <- function(fit) { v <- as.data.frame(VarCorr(fit)); setNames(as.list(v$vcov), v$grp) }
nested <- lmer(strength ~ 1 + (1 | batch/cask), Pastes)
crossed <- lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin)
text <- function(data) lapply(data, function(x) if (is.factor(x)) as.character(x) else x)
# a tight optimum: lme4's default optimizer stops up to 1e-3 (relative) short of the slopes' variance
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-2, rhoend = 1e-9, maxfun = 1e5))
told <- function(fit) list(
  llf = as.numeric(logLik(fit)), estimate = unname(fixef(fit)), se = unname(sqrt(diag(as.matrix(vcov(fit))))),
  variances = as.data.frame(VarCorr(fit))[c("grp", "var1", "var2", "vcov")]
)
growth <- read.csv("data/math_growth.csv")
scottish <- read.csv("data/scottish_schools.csv")
three <- lmer(math ~ year + (year | school) + (year | school:child), growth, REML = FALSE, control = tight)
schools <- lmer(attain ~ 1 + (1 | primary) + (1 | secondary), scottish, REML = FALSE, control = tight)
adjusted <- update(schools, . ~ . + verbal)
profile <- function(fit) { p <- confint(fit, 1:2, quiet = TRUE); list(lower = p[, 1], upper = p[, 2]) }

hsb <- read.csv("data/hsb.csv")
hsb$high <- hsb$mathach >= 18
laplace <- glmer(high ~ ses + (1 | schid), hsb, binomial,
                 control = glmerControl("bobyqa", optCtrl = list(rhobeg = 1e-2, rhoend = 1e-9)))
quadrature <- update(laplace, nAGQ = 9)
tmb <- glmmTMB::glmmTMB(high ~ ses + (1 | schid), hsb, family = binomial)
binary <- list(
  lme4 = told(laplace), lme4_quadrature = told(quadrature),
  glmmTMB = list(llf = as.numeric(logLik(tmb)), estimate = unname(glmmTMB::fixef(tmb)$cond),
                 se = unname(sqrt(diag(vcov(tmb)$cond))), sd = unname(attr(glmmTMB::VarCorr(tmb)$cond$schid, "stddev")))
)
out <- list(
  versions = sapply(c("lme4", "glmmTMB"), function(p) as.character(packageVersion(p)), simplify = FALSE),
  growth = told(three), scottish = c(told(schools), profile = list(profile(schools))), adjusted = told(adjusted),
  binary = binary,
  nested = list(data = text(Pastes[c("strength", "batch", "cask")]), variances = variances(nested)),
  crossed = list(data = text(Penicillin[c("diameter", "plate", "sample")]), variances = variances(crossed))
)
writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE), output)
cat("wrote", output, "\n")
