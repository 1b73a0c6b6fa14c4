# Values for tests/test_inference.py: lme4's profile limits by ML of models in which a variance may be 0,
# and how far the model without each random effect lies above the best.
# Run from the root of the repository: Rscript tests/reference/profiles.R
suppressMessages({library(lme4); library(jsonlite)})
models <- list(
  Orthodont = list(data = as.data.frame(nlme::Orthodont), group = "Subject",
                   formulas = c("distance ~ age" = "distance ~ age", "distance ~ age * Sex" = "distance ~ age * Sex")),
  Loblolly = list(data = as.data.frame(Loblolly), group = "Seed",
                  formulas = c("height ~ age + I(age ** 2)" = "height ~ age + I(age^2)")))
values <- lapply(models, function(model) {
  data <- model$data
  data[[model$group]] <- as.character(data[[model$group]])
  fit <- function(formula, random) {
    lmer(as.formula(paste(formula, "+", random)), data, REML = FALSE, control = lmerControl(optimizer = "bobyqa",
         optCtrl = list(rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE))
  }
  whole <- lapply(model$formulas, fit, paste("(age |", model$group, ")"))
  list(data = data,
       # by lme4's default optimiser: with that of `fit` the profile of a correlation stays where it began
       limits = lapply(model$formulas, function(formula) {
         m <- lmer(as.formula(paste(formula, "+ (age |", model$group, ")")), data, REML = FALSE)
         unname(suppressWarnings(confint(m, parm = 1:4, quiet = TRUE)))
       }),
       deviance_without = lapply(model$formulas, function(formula) {
         best <- deviance(whole[[which(model$formulas == formula)]])
         c(deviance(fit(formula, paste("(0 + age |", model$group, ")"))) - best,
           deviance(fit(formula, paste("(1 |", model$group, ")"))) - best)
       }))
})
write_json(c(values, list(versions = list(lme4 = as.character(packageVersion("lme4"))))), "tests/reference/profiles.json",
           digits = NA, auto_unbox = TRUE, dataframe = "columns")
