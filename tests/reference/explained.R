# Explained variance as R packages and published formulas have it.
#
#   Rscript tests/reference/explained.R
#
# Reads data/hsb.csv, writes explained.json next to this script. README.md says what it holds.

suppressPackageStartupMessages(library(lme4))

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
here <- if (length(script)) dirname(script) else file.path("tests", "reference")
hsb <- read.csv(file.path(here, "..", "..", "data", "hsb.csv"))
hsb$ses_mean <- ave(hsb$ses, hsb$schid)
hsb$ses_cwc <- hsb$ses - hsb$ses_mean
hsb$catholic <- hsb$schtype
hsb$catholic_ses <- hsb$catholic * hsb$ses_cwc
hsb$meanses_ses <- hsb$meanses * hsb$ses_cwc

# For each model its predictors within and between schools, and those with random slopes.
models <- list(
  null = list(),
  within = list(within = "ses_cwc"),
  both = list(within = "ses_cwc", between = "ses_mean"),
  slopes = list(within = "ses_cwc", between = "ses_mean", slopes = "ses_cwc"),
  cross = list(within = c("ses_cwc", "catholic_ses", "meanses_ses"), between = c("catholic", "meanses"),
               slopes = "ses_cwc")
)

# Rights & Sterba (2019) in terms of the predictors' covariance matrices.
partition <- function(fit, model) {
  quadratic <- function(names) {
    if (!length(names)) return(0)
    g <- fixef(fit)[names]
    drop(g %*% cov(hsb[names]) %*% g)
  }
  tau <- as.matrix(VarCorr(fit)$schid)
  slopes <- if (length(model$slopes)) sum(tau[-1, -1, drop = FALSE] * cov(hsb[model$slopes])) else 0
  list(fixed_within = quadratic(model$within), fixed_between = quadratic(model$between),
       slopes = slopes, intercepts = tau[1, 1], residual = sigma(fit)^2)
}

values <- lapply(models, function(model) {
  random <- sprintf("(%s | schid)", paste(c(1, model$slopes), collapse = " + "))
  formula <- reformulate(c(1, model$within, model$between, random), "mathach")
  # rhoend: the optimum to the digits that are compared
  fit <- lmer(formula, hsb, control = lmerControl("bobyqa", optCtrl = list(rhoend = 1e-9)))
  r2 <- if (length(model)) performance::r2_nakagawa(fit) else list(R2_marginal = 0, R2_conditional = NULL)
  list(formula = deparse1(formula), marginal = unname(r2$R2_marginal), conditional = unname(r2$R2_conditional),
       partition = partition(fit, model))
})
packages <- c("lme4", "performance", "insight")
values$versions <- as.list(c(R = as.character(getRversion()), sapply(packages, function(p) as.character(packageVersion(p)))))
writeLines(jsonlite::toJSON(values, digits = NA, auto_unbox = TRUE, pretty = TRUE, null = "null"),
           file.path(here, "explained.json"))
