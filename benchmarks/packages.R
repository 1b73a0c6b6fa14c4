# lme4's log-likelihoods and least seconds for the models of packages.py: Rscript packages.R folder repeats
suppressMessages({library(lme4); library(jsonlite)})
arguments <- commandArgs(TRUE)
tasks <- fromJSON(file.path(arguments[1], "tasks.json"))
data <- lapply(c(hsb = "hsb", schools = "schools"), function(name) read.csv(file.path(arguments[1], paste0(name, ".csv"))))
fits <- lapply(seq_len(nrow(tasks)), function(i) {
  call <- function() lmer(as.formula(tasks$formula[i]), data[[tasks$data[i]]], REML = tasks$reml[i])
  fit <- call()
  times <- replicate(as.integer(arguments[2]), {
    begin <- Sys.time()
    call()
    as.numeric(Sys.time() - begin, units = "secs")
  })
  list(log_likelihood = as.numeric(logLik(fit)), seconds = min(times))
})
found <- list(version = as.character(packageVersion("lme4")), fits = fits)
write_json(found, file.path(arguments[1], "found.json"), digits = NA, auto_unbox = TRUE)
