# How often tests on the sleepstudy data claim what is not there, if each person's days scatter by an amount of their own.
#   Rscript tests/reference/time_points.R        (some ten minutes)

suppressPackageStartupMessages({library(nlme); library(jsonlite)})

data <- subset(read.csv("data/sleepstudy.csv"), Days >= 2)
data$day <- data$Days - 2
control <- lmeControl(opt = "optim", maxIter = 200, msMaxIter = 200, returnObject = TRUE)
fit <- function(data, ...) lme(y ~ day, random = ~ day | Subject, data = data, control = control, ...)
own <- varIdent(form = ~ 1 | Subject)
ar1 <- corAR1(form = ~ day | Subject)
ratio <- function(smaller, larger) 2 * as.numeric(logLik(larger) - logLik(smaller))
# The square of time less what the line has of it: uncorrelated with both coefficients.
data$bend <- (data$day - 3.5)^2 - 5.25
tests <- function(data) {
  bent <- lme(y ~ day + bend, random = ~ day | Subject, data = data, weights = own, control = control)
  c(ar1 = ratio(fit(data), fit(data, correlation = ar1)), bend = summary(bent)$tTable["bend", "p-value"])
}

data$y <- data$Reaction
observed <- tests(data)
# Studies of independent days on straight lines, with the variances of this fit.
truth <- fit(data, weights = own)
root <- t(chol(matrix(as.numeric(getVarCov(truth)), 2)))
sigma <- truth$sigma / attr(truth$modelStruct$varStruct, "weights")
line <- fixef(truth)[1] + fixef(truth)[2] * data$day
person <- match(data$Subject, unique(data$Subject))
draw <- function(seed) {
  set.seed(seed)
  effects <- t(root %*% matrix(rnorm(2 * max(person)), 2))[person, ]
  data$y <- line + effects[, 1] + effects[, 2] * data$day + sigma * rnorm(nrow(data))
  tryCatch(tests(data), error = function(e) c(ar1 = NA, bend = NA))
}
drawn <- na.omit(t(sapply(1:400, draw)))
result <- list(studies = nrow(drawn), observed = as.list(observed), ar1_below_05 = mean(drawn[, "ar1"] > qchisq(0.95, 1)),
               ar1_as_large = mean(drawn[, "ar1"] >= observed["ar1"]), bend_below_05 = mean(drawn[, "bend"] < 0.05),
               bend_as_small = mean(drawn[, "bend"] <= observed["bend"]))
writeLines(toJSON(result, digits = NA, auto_unbox = TRUE, pretty = TRUE), "tests/reference/time_points.json")
