# Compute, in R, the values that the tests compare the course with.
#
#   Rscript tests/reference/reference.R
#
# Reads data/hsb.csv, writes the JSON files next to this script. README.md says what each holds.

suppressPackageStartupMessages(library(lme4))

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
here <- if (length(script)) dirname(script) else file.path("tests", "reference")

say <- function(...) cat(sprintf(...), "\n", sep = "")
save_json <- function(x, name) {
  path <- file.path(here, name)
  # Fifteen significant digits; single values as numbers, vectors as arrays.
  text <- jsonlite::toJSON(x, digits = NA, auto_unbox = TRUE, pretty = TRUE, na = "null")
  out <- file(path, open = "wb")
  writeLines(text, out, sep = "\n")
  close(out)
  say("wrote %s, %.1f KB", name, file.size(path) / 1024)
}
# A vector is an array in JSON even when it has one element.
array_of <- function(x) I(unname(as.vector(x)))
named <- function(x) as.list(x)
matrix_of <- function(x) unname(as.matrix(x))

hsb <- read.csv(file.path(here, "..", "..", "data", "hsb.csv"))
stopifnot(
  "data/hsb.csv is not merTools::hsb" = isTRUE(all.equal(
    transform(hsb, schid = as.character(schid)), as.data.frame(merTools::hsb),
    tolerance = 1e-12, check.attributes = FALSE
  ))
)
hsb$schid <- factor(hsb$schid, levels = unique(hsb$schid))
hsb$ses_cwc <- hsb$ses - ave(hsb$ses, hsb$schid)
by_school <- function(column, f) as.vector(tapply(hsb[[column]], hsb$schid, f))
schools <- data.frame(
  size = by_school("size", function(v) v[1]),
  schtype = by_school("schtype", function(v) v[1]),
  meanses = by_school("meanses", function(v) v[1]),
  n_students = by_school("ses", length),
  mean_ses = by_school("ses", mean),
  mean_mathach = by_school("mathach", mean)
)
first_550 <- hsb[1:550, ]

# ---- versions ----------------------------------------------------------------------------------
packages <- c("lme4", "merTools", "lmerTest", "psych", "nlme", "ggplot2", "minqa", "numDeriv",
              "jsonlite", "performance", "flextable", "emmeans", "glmmTMB")
versions <- sapply(packages, function(p) as.character(packageVersion(p)))
save_json(named(c(R = as.character(getRversion()), versions)), "versions.json")

# ---- ordinary regressions ----------------------------------------------------------------------
regression <- function(model, data, coefficients = TRUE) {
  fit <- lm(model, data)
  s <- summary(fit)
  out <- list(
    formula = deparse1(model), nobs = nobs(fit), n_coefficients = length(coef(fit)),
    sigma = s$sigma, df_residual = s$df[2], r_squared = s$r.squared,
    adj_r_squared = s$adj.r.squared, f_statistic = named(s$fstatistic),
    residual_quantiles = named(setNames(quantile(resid(fit)),
                                        c("min", "q1", "median", "q3", "max")))
  )
  slope <- s$coefficients["ses", ]
  names(slope) <- c("estimate", "se", "t", "p")
  out$ses <- named(slope)
  if (coefficients) {
    out$terms <- array_of(rownames(s$coefficients))
    out$coefficients <- matrix_of(s$coefficients)
    out$columns <- array_of(names(slope))
  }
  say("regression  %-28s n = %d, %d coefficients", out$formula, out$nobs, out$n_coefficients)
  out
}
lines <- t(sapply(split(hsb, hsb$schid), function(d) coef(lm(mathach ~ ses, d))))
save_json(list(
  first_550 = regression(mathach ~ ses, first_550),
  school_1224 = regression(mathach ~ ses, subset(hsb, schid == "1224")),
  school_1462 = regression(mathach ~ ses, subset(hsb, schid == "1462")),
  all_students = regression(mathach ~ ses, hsb),
  dummies = regression(mathach ~ ses + schid, hsb, coefficients = FALSE),
  interactions = regression(mathach ~ ses * schid, hsb, coefficients = FALSE),
  # One line per school, summarised over the 160 schools.
  separate_lines = list(
    n = nrow(lines), mean = named(colMeans(lines)), sd = named(apply(lines, 2, sd)),
    min = named(apply(lines, 2, min)), max = named(apply(lines, 2, max)),
    n_negative_slopes = sum(lines[, "ses"] < 0)
  )
), "regression.json")

# ---- LOESS as geom_smooth draws it ------------------------------------------------------------
# geom_smooth calls stats::loess with its defaults (span .75, degree 2, gaussian) and predicts on
# 80 points. The default surface interpolates between the vertices of a k-d tree; 'direct' computes
# each point and is what an implementation without a tree gives.
smooth <- function(data) {
  grid <- seq(min(data$ses), max(data$ses), length.out = 80)
  fitted_on <- function(surface) {
    fit <- loess(mathach ~ ses, data, control = loess.control(surface = surface))
    unname(predict(fit, data.frame(ses = grid)))
  }
  drawn <- ggplot2::layer_data(
    ggplot2::ggplot(data, ggplot2::aes(ses, mathach)) +
      ggplot2::geom_smooth(method = "loess", formula = y ~ x, se = FALSE)
  )
  out <- list(n = nrow(data), x = grid, interpolate = fitted_on("interpolate"),
              direct = fitted_on("direct"))
  stopifnot("geom_smooth draws another curve than loess" =
              isTRUE(all.equal(drawn$y, out$interpolate, tolerance = 1e-12)))
  say("loess  n = %d, largest gap between the two surfaces %.2g", out$n,
      max(abs(out$interpolate - out$direct)))
  out
}
curves <- list(first_550 = smooth(first_550))
for (id in c("1224", "1462", "1288", "1308", "1477")) {
  curves[[paste0("school_", id)]] <- smooth(subset(hsb, schid == id))
}
save_json(curves, "loess.json")

# ---- description -------------------------------------------------------------------------------
rows_of <- function(table) {
  rows <- lapply(seq_len(nrow(table)), function(i) as.list(unlist(table[i, ])))
  setNames(rows, rownames(table))
}
student <- c("minority", "female", "ses", "mathach", "size", "schtype", "meanses")
plain <- hsb[c("schid", student)]
plain$schid <- as.integer(as.character(plain$schid))
sb <- psych::statsBy(plain[c("schid", "minority", "female", "ses", "mathach")], group = "schid")
inner <- c("minority", "female", "ses", "mathach")
save_json(list(
  student_level = rows_of(psych::describe(hsb[student])),
  school_level = rows_of(psych::describe(schools)),
  # The shipped meanses is not the mean of ses.
  meanses_minus_mean_ses = with(schools, list(
    min = min(meanses - mean_ses), mean = mean(meanses - mean_ses), max = max(meanses - mean_ses)
  )),
  icc1 = named(sb$ICC1[inner]), icc2 = named(sb$ICC2[inner])
), "describe.json")

# ---- mixed models, driven to a tight optimum ---------------------------------------------------
# lme4's default optimiser can stop short, so its own deviance function is minimised again:
#   1. nloptwrap with lme4's default settings (what lmer does);
#   2. bobyqa with rhoend 1e-9 from the identity, and again from 1;
#   3. Nelder_Mead with tolerances near rounding, from 1;
#   4. nlminb from the identity;
#   5. BFGS without bounds from the identity (the deviance does not see the sign of a column of
#      the Cholesky factor, so bounds are not needed and their gradient can not vanish on them);
#   6. Newton steps from the lowest of these, with Richardson derivatives.
# The lowest deviance wins. Steps of .01 keep the derivatives clear of the rounding of a deviance
# of 46000 (about 1e-10). Newton stays off when the Hessian is not positive definite; then the
# lowest of 1 to 5 is kept and `newton_decrement` is missing.
at_zero <- function(fn, point) function(step) fn(point + step)
gradient_at <- function(fn, point) {
  numDeriv::grad(at_zero(fn, point), 0 * point, method.args = list(eps = 0.01))
}
hessian_at <- function(fn, point) {
  numDeriv::hessian(at_zero(fn, point), 0 * point, method.args = list(eps = 0.01))
}

last_search <- NULL
tight <- function(fn, par, lower, upper, control) {
  identity_start <- as.numeric(lower == 0)
  found <- list()
  found$nloptwrap <- nloptwrap(par, fn, lower, upper)$par
  found$bobyqa <- minqa::bobyqa(identity_start, fn, lower,
    control = list(rhobeg = 0.2, rhoend = 1e-9, maxfun = 1e5))$par
  found$bobyqa_restart <- minqa::bobyqa(found$nloptwrap, fn, lower,
    control = list(rhobeg = 0.01, rhoend = 1e-9, maxfun = 1e5))$par
  found$Nelder_Mead <- Nelder_Mead(fn, found$nloptwrap, lower,
    control = list(FtolAbs = 1e-10, FtolRel = 1e-15, XtolRel = 1e-9, maxfun = 1e5,
                   xst = rep(0.02, length(par)), xt = rep(1e-9, length(par))))$par
  found$nlminb <- nlminb(identity_start, fn, lower = lower,
    control = list(rel.tol = 1e-15, x.tol = 1e-10, eval.max = 1e4, iter.max = 1e4))$par
  found$BFGS <- optim(identity_start, fn, method = "BFGS",
    control = list(reltol = 1e-16, maxit = 1e4, ndeps = rep(1e-5, length(par))))$par
  deviances <- sapply(found, fn)
  best <- unname(found[[which.min(deviances)]])

  decrement <- NULL
  for (step in 1:3) {
    hessian <- hessian_at(fn, best)
    curvature <- min(eigen(hessian, symmetric = TRUE, only.values = TRUE)$values)
    if (curvature <= 0) break
    gradient <- gradient_at(fn, best)
    move <- solve(hessian, gradient)
    decrement <- sum(gradient * move)
    best <- best - move
  }
  # The sign of a column of the Cholesky factor is free: make its diagonal positive.
  size <- (sqrt(8 * length(best) + 1) - 1) / 2
  factor <- matrix(0, size, size)
  factor[lower.tri(factor, diag = TRUE)] <- best
  factor <- sweep(factor, 2, ifelse(diag(factor) < 0, -1, 1), "*")
  best <- factor[lower.tri(factor, diag = TRUE)]

  # Newton may end within rounding above the best of the others, no more.
  value <- fn(best)
  stopifnot("the polished optimum is above another optimiser's" = value < min(deviances) + 1e-8)
  last_search <<- list(
    deviance_above_best = named(deviances - value),
    spread_of_best_three = diff(range(sort(deviances)[1:3])),
    max_abs_gradient = max(abs(gradient_at(fn, best))),
    smallest_hessian_eigenvalue = curvature,
    newton_decrement = decrement
  )
  list(par = best, fval = value, conv = 0, message = "tight")
}

fit_tight <- function(model, reml) {
  eval(bquote(lmer(.(model), data = hsb, REML = .(reml),
                   control = lmerControl(optimizer = "tight", boundary.tol = 0,
                                         restart_edge = FALSE))))
}

# Minus twice the (restricted) log-likelihood at any (theta, sigma), from lme4's own deviance
# function: the pieces that it leaves behind belong to the theta it was called with. A coefficient
# held at `value` adds its squared distance from the GLS estimate over the GLS variance.
full_deviance <- function(fit) {
  fn <- update(fit, devFunOnly = TRUE)
  state <- environment(fn)
  df <- nobs(fit) - isREML(fit) * length(fixef(fit))
  function(theta, sigma, held = NULL, value = NULL) {
    fn(theta)
    logdet <- state$pp$ldL2() + isREML(fit) * state$pp$ldRX2()
    penalised <- state$resp$wrss() + state$pp$sqrL(1)
    if (!is.null(held)) {
      penalised <- penalised + (value - state$pp$beta(1)[held])^2 / state$pp$unsc()[held, held]
    }
    df * log(2 * pi * sigma^2) + logdet + penalised / sigma^2
  }
}
# Standard errors from the observed information in (lower triangle of Tau, sigma2).
variance_se <- function(fit) {
  tau <- matrix(VarCorr(fit)[[1]], length(fit@cnms[[1]]))
  par <- c(tau[lower.tri(tau, diag = TRUE)], sigma(fit)^2)
  size <- c(sqrt(outer(diag(tau), diag(tau)))[lower.tri(tau, diag = TRUE)], sigma(fit)^2)
  fn <- full_deviance(fit)
  scaled <- function(step) {
    moved <- par + size * step
    sigma2 <- moved[length(moved)]
    tau[lower.tri(tau, diag = TRUE)] <- moved[-length(moved)]
    tau[upper.tri(tau)] <- t(tau)[upper.tri(tau)]
    factor <- t(chol(tau / sigma2))
    fn(factor[lower.tri(factor, diag = TRUE)], sqrt(sigma2))
  }
  stopifnot("the deviance in (Tau, sigma2) is not the deviance of the fit" =
              abs(scaled(0 * par) + 2 * as.numeric(logLik(fit))) < 1e-6)
  hessian <- numDeriv::hessian(scaled, 0 * par, method.args = list(eps = 0.01))
  cov <- 2 * solve(hessian) * outer(size, size)
  se_tau <- 0 * tau
  se_tau[lower.tri(tau, diag = TRUE)] <- sqrt(diag(cov))[-length(par)]
  se_tau[upper.tri(tau)] <- t(se_tau)[upper.tri(tau)]
  list(tau = matrix_of(se_tau), sigma2 = sqrt(cov[length(par), length(par)]))
}

describe_fit <- function(fit, search) {
  v <- VarCorr(fit)[[1]]
  u <- ranef(fit, condVar = TRUE)[[1]]
  post <- attr(u, "postVar")
  first <- 1:5
  list(
    log_likelihood = as.numeric(logLik(fit)),
    deviance = -2 * as.numeric(logLik(fit)),
    n_parameters = attr(logLik(fit), "df"), aic = AIC(fit), bic = BIC(fit),
    fixed = list(
      terms = array_of(names(fixef(fit))), estimate = array_of(fixef(fit)),
      se = array_of(sqrt(diag(as.matrix(vcov(fit))))), vcov = matrix_of(vcov(fit))
    ),
    random = list(
      terms = array_of(colnames(v)), tau = matrix_of(v[, , drop = FALSE]),
      correlation = matrix_of(attr(v, "correlation"))
    ),
    sigma2 = sigma(fit)^2, theta = array_of(getME(fit, "theta")), singular = isSingular(fit),
    variance_se = variance_se(fit),
    # Rows are schools, columns random effects.
    ranef = list(
      schools = array_of(rownames(u)[first]), estimate = matrix_of(u[first, , drop = FALSE]),
      conditional_sd = matrix_of(do.call(rbind, lapply(first, function(j) {
        sqrt(diag(matrix(post[, , j], nrow(post))))
      })))
    ),
    first_students = list(
      fitted = array_of(fitted(fit)[1:6]), residual = array_of(resid(fit)[1:6])
    ),
    tightness = search
  )
}

models <- list(
  null = mathach ~ 1 + (1 | schid),
  meanses = mathach ~ meanses + (1 | schid),
  ancova_cwc = mathach ~ ses_cwc + (1 | schid),
  slope_cwc = mathach ~ ses_cwc + (1 + ses_cwc | schid),
  slope_raw = mathach ~ ses + (1 + ses | schid),
  cross_level = mathach ~ meanses + schtype + ses_cwc + meanses:ses_cwc + schtype:ses_cwc +
    (1 + ses_cwc | schid),
  three_slopes = mathach ~ ses + minority + female + (1 + ses + minority + female | schid)
)
fits <- list()
mixed <- list()
for (key in names(models)) {
  mixed[[key]] <- list(formula = gsub(" +", " ", deparse1(models[[key]])))
  for (criterion in c("reml", "ml")) {
    fit <- fit_tight(models[[key]], criterion == "reml")
    fits[[key]][[criterion]] <- fit
    mixed[[key]][[criterion]] <- describe_fit(fit, last_search)
    say("mixed  %-12s %-4s deviance %.8f, lme4's default %.1e above, gradient %.1e%s",
        key, criterion, -2 * as.numeric(logLik(fit)),
        last_search$deviance_above_best$nloptwrap, last_search$max_abs_gradient,
        if (isSingular(fit)) ", singular" else "")
  }
}
save_json(mixed, "mixed.json")

# ---- inference ---------------------------------------------------------------------------------
satterthwaite <- lapply(fits, function(f) {
  table <- coef(summary(lmerTest::as_lmerModLmerTest(f$reml), ddf = "Satterthwaite"))
  list(terms = array_of(rownames(table)), estimate = array_of(table[, "Estimate"]),
       se = array_of(table[, "Std. Error"]), df = array_of(table[, "df"]),
       t = array_of(table[, "t value"]), p = array_of(table[, "Pr(>|t|)"]))
})
say("satterthwaite  %d models", length(satterthwaite))

# lme4 interpolates its profile by splines: that costs the limits of the correlation 5e-4 (and two
# warnings), those of the slope's SD 5e-5, the others 1e-5 or less. The direct limits solve, for
# each parameter in turn,
# deviance(parameter held, all others free) = deviance of the fit + 3.84, without a grid.
profile_intervals <- function(fit) {
  # Started at the tight optimum, because the profile refits with the fit's own optimiser.
  quick <- update(fit, start = getME(fit, "theta"), control = lmerControl())
  ci <- confint(quick, method = "profile", level = 0.95, oldNames = FALSE, quiet = TRUE)
  direct <- direct_intervals(fit)
  stopifnot("lme4's profile intervals are not the direct ones" =
              max(abs(ci - direct)) < 1e-3)
  list(parameters = array_of(rownames(ci)), lower = array_of(direct[, 1]),
       upper = array_of(direct[, 2]), lme4_lower = array_of(ci[, 1]),
       lme4_upper = array_of(ci[, 2]))
}
# For a random intercept, alone or with one slope. Free coordinates in lme4's order: log SD of the
# intercept, (atanh of the correlation, log SD of the slope,) log sigma.
direct_intervals <- function(fit) {
  v <- VarCorr(fit)[[1]]
  sds <- log(attr(v, "stddev"))
  fn <- full_deviance(fit)
  slope <- length(sds) == 2
  at <- unname(c(sds[1], if (slope) c(atanh(attr(v, "correlation")[2, 1]), sds[2]),
                 log(sigma(fit))))
  forward <- if (slope) c(exp, tanh, exp, exp) else c(exp, exp)
  deviance_at <- function(free, ...) {
    sigma <- exp(free[length(free)])
    theta <- exp(free[1]) / sigma
    if (slope) theta <- c(theta, exp(free[3]) / sigma * c(tanh(free[2]), 1 / cosh(free[2])))
    fn(theta, sigma, ...)
  }
  lowest <- -2 * as.numeric(logLik(fit))
  minimum <- function(start, f) nlminb(start, f, control = list(rel.tol = 1e-14))$objective
  limits <- function(excess, centre, step) {
    sapply(c(-1, 1), function(side) {
      distance <- uniroot(function(d) excess(centre + side * d) - qchisq(0.95, 1),
                          c(0, step), extendInt = "upX", tol = 1e-9)$root
      centre + side * distance
    })
  }
  random <- t(sapply(seq_along(at), function(i) {
    excess <- function(value) {
      minimum(at[-i], function(rest) deviance_at(append(rest, value, i - 1))) - lowest
    }
    forward[[i]](limits(excess, at[i], 0.1))
  }))
  fixed <- t(sapply(seq_along(fixef(fit)), function(k) {
    excess <- function(value) {
      minimum(at, function(free) deviance_at(free, held = k, value = value)) - lowest
    }
    limits(excess, unname(fixef(fit))[k], sqrt(vcov(fit)[k, k]))
  }))
  rbind(random, fixed)
}
profiles <- list(null = profile_intervals(fits$null$ml))
say("profile  null")
profiles$slope_cwc <- profile_intervals(fits$slope_cwc$ml)
say("profile  slope_cwc")

# Reliability and the test of tau00 = 0 as HLM reports them (Raudenbush & Bryk 2002, chapter
# 3): both treat sigma2 as known.
n <- schools$n_students
tau00 <- as.numeric(VarCorr(fits$null$reml)$schid)
sigma2 <- sigma(fits$null$reml)^2
reliability <- tau00 / (tau00 + sigma2 / n)
q <- sum((schools$mean_mathach - fixef(fits$null$reml))^2 / (sigma2 / n))
null_model <- list(
  icc = tau00 / (tau00 + sigma2), reliability_mean = mean(reliability),
  reliability_first_schools = array_of(reliability[1:5]),
  chi_square = q, chi_square_df = length(n) - 1
)

# Random slope of ses_cwc: two more parameters, one of them a variance on the boundary.
slope_test <- function(criterion) {
  table <- anova(fits$ancova_cwc[[criterion]], fits$slope_cwc[[criterion]], refit = FALSE)
  chisq <- table$Chisq[2]
  list(chisq = chisq, df = table$Df[2], p = table$`Pr(>Chisq)`[2],
       p_mixture = (pchisq(chisq, 1, lower.tail = FALSE) +
                      pchisq(chisq, 2, lower.tail = FALSE)) / 2)
}

# A simulation: compare with a wide tolerance only.
foreach::registerDoSEQ()
prediction <- merTools::predictInterval(fits$slope_cwc$reml, newdata = hsb[1:3, ], level = 0.95,
  n.sims = 10000, stat = "median", include.resid.var = TRUE, seed = 20231201)
save_json(list(
  satterthwaite = satterthwaite, profile = profiles, null_model = null_model,
  random_slope_lrt = list(reml = slope_test("reml"), ml = slope_test("ml")),
  predict_interval = list(model = "slope_cwc", rows = 1:3, level = 0.95, n_sims = 10000,
                          fit = prediction$fit, lower = prediction$lwr, upper = prediction$upr)
), "inference.json")
