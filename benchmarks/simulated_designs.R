# lme4's log-likelihoods for the designs of simulated_designs.py, by its two optimisers, and its
# likelihood at the theta found there. Called with the folder that holds tasks.json and the data.
suppressMessages({library(lme4); library(jsonlite)})
folder <- commandArgs(TRUE)[1]
tasks <- fromJSON(file.path(folder, "tasks.json"), simplifyDataFrame = FALSE)
loglik <- function(formula, data, reml, optimizer) {
  control <- lmerControl(optimizer = optimizer, calc.derivs = FALSE, check.conv.singular = "ignore",
                         check.scaleX = "ignore", check.rankX = "ignore",
                         check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore")
  tryCatch(as.numeric(logLik(suppressWarnings(suppressMessages(
    lmer(formula, data, REML = reml, control = control))))), error = function(e) NA)
}
rows <- lapply(tasks, function(task) {
  data <- read.csv(file.path(folder, paste0(task$seed, ".csv")))
  formula <- as.formula(paste0(task$formula, " + (", task$effects, " | g)"))
  at_ours <- NA
  if (!is.null(task$theta)) {
    deviance <- suppressWarnings(suppressMessages(lmer(formula, data, REML = task$reml, devFunOnly = TRUE,
      control = lmerControl(check.nobs.vs.nRE = "ignore", check.rankX = "ignore", check.scaleX = "ignore"))))
    at_ours <- -deviance(unlist(task$theta)) / 2
  }
  list(nloptwrap = loglik(formula, data, task$reml, "nloptwrap"),
       bobyqa = loglik(formula, data, task$reml, "bobyqa"), at_ours = at_ours)
})
write_json(rows, file.path(folder, "lme4.json"), auto_unbox = TRUE, digits = NA)
