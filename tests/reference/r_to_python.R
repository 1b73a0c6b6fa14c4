# Values for tests/test_r_to_python.py: what the R calls on the page "R to Python" return.
# Run from the root of the repository: Rscript tests/reference/r_to_python.R
suppressPackageStartupMessages({library(lme4); library(ggplot2)})
output <- "tests/reference/r_to_python.json"
dat <- merTools::hsb
dat$ses_cwc <- dat$ses - ave(dat$ses, dat$schid)
values <- function(x) I(unname(as.vector(x)))
rows <- function(x) unname(as.matrix(x))

# ---- data ----
columns <- c("minority", "female", "ses", "mathach", "size", "schtype", "meanses")
two <- subset(dat, subset = schid == 1224 | schid == 1462)
first <- dat[1:550, ]
out <- list(
  hsb = list(dim = values(dim(merTools::hsb)), sums = values(colSums(dat[columns]))),
  head = rows(head(merTools::hsb, 6)[columns]),
  first = list(n = nrow(first), last = as.character(first$schid[550]), sum = sum(first$mathach)),
  subset = list(n = nrow(two), schools = values(unique(as.character(two$schid))), sum = sum(two$mathach)),
  base = list(
    combine = values(c("a", "b")), length = length(c("a", "b")),
    apply = values(unlist(lapply(1:3, function(x) x^2))),
    there = values(c("lme4", "no.such.package") %in% rownames(installed.packages())),
    text = capture.output(for (i in 1:2) cat(paste0(i, ". ", c("a", "b")[i], "\n"))),
    version = as.character(packageVersion("lme4")), recent = packageVersion("lme4") >= "1.1.9"
  )
)

# ---- figures: what ggplot2 draws, as numbers ----
drawn <- ggplot(first, aes(x = ses, y = mathach)) + geom_point() +
  geom_smooth(method = "lm", formula = y ~ x, se = FALSE) +
  geom_smooth(method = "loess", formula = y ~ x, se = FALSE)
ends <- function(layer) rows(layer[c(1, 40, 80), c("x", "y")])
panels <- ggplot_build(ggplot(first, aes(ses, mathach)) + geom_point() + facet_wrap(~schid, nrow = 2))$layout$layout
labelled <- drawn + labs(x = "SES", y = "Achievement") + theme_classic()
blank <- function(part) inherits(ggplot2::calc_element(part, theme_classic()), "element_blank")
out$figures <- list(
  points = list(n = nrow(layer_data(drawn, 1)), sum_x = sum(layer_data(drawn, 1)$x), sum_y = sum(layer_data(drawn, 1)$y)),
  lm = ends(layer_data(drawn, 2)), loess = ends(layer_data(drawn, 3)),
  panels = list(schools = values(as.character(panels$schid)), row = values(panels$ROW), col = values(panels$COL)),
  labels = list(x = labelled$labels$x, y = labelled$labels$y),
  classic = list(box = !blank("panel.border"), grid = !blank("panel.grid.major"), axes = !blank("axis.line.x"))
)

# ---- multilevel fits, at a tight optimum: the default optimiser stops at the fourth digit ----
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-9, maxfun = 1e5))
fit <- lmer(mathach ~ ses_cwc + (ses_cwc | schid), dat, control = tight)
null <- lmer(mathach ~ 1 + (1 | schid), dat, control = tight)
ancova <- update(null, . ~ . + ses_cwc)
effects <- ranef(fit, condVar = TRUE)$schid
post <- attr(effects, "postVar")
components <- as.data.frame(VarCorr(fit))
new <- data.frame(ses_cwc = c(-1, 0, 1), schid = "nowhere")
lmertest <- coef(summary(lmerTest::as_lmerModLmerTest(fit)))
out$lmer <- list(
  fixef = values(fixef(fit)), vcov = rows(vcov(fit)), se = values(sqrt(diag(as.matrix(vcov(fit))))),
  t = values(coef(summary(fit))[, "t value"]),
  VarCorr = list(variance = values(components$vcov), sd_cor = values(components$sdcor)), sigma = sigma(fit),
  ranef = rows(effects), cond_sd = rows(t(apply(post, 3, function(v) sqrt(diag(v))))),
  coef = rows(coef(fit)$schid), schools = values(rownames(effects)),
  fitted = values(fitted(fit)[1:6]), residuals = values(residuals(fit)[1:6]),
  logLik = as.numeric(logLik(fit)), deviance = REMLcrit(fit), n = nobs(fit), groups = unname(ngrps(fit)),
  aic = AIC(refitML(fit)), bic = BIC(refitML(fit)),
  wald = rows(confint(fit, parm = "beta_", method = "Wald")),
  lmertest = rows(lmertest[, c("df", "t value", "Pr(>|t|)")]),
  anova = values(unlist(suppressMessages(anova(null, ancova))[2, c("Chisq", "Df", "Pr(>Chisq)")])),
  update = list(logLik = as.numeric(logLik(ancova)), fixef = values(fixef(ancova))),
  singular = isSingular(fit),
  predict = list(known = values(predict(fit, dat[1:6, ])), fixed = values(predict(fit, dat[1:6, ], re.form = NA)),
                 new = values(predict(fit, new, allow.new.levels = TRUE))),
  profile = rows(suppressMessages(confint(refitML(fit), parm = c(".sig01", ".sig03", ".sigma", "(Intercept)", "ses_cwc"),
                                          quiet = TRUE)))
)
dat$high <- dat$mathach >= 18
finer <- glmer(high ~ ses + (1 | schid), dat, family = binomial, nAGQ = 15)
out$glmer <- list(fixef = values(fixef(finer)), se = values(sqrt(diag(as.matrix(vcov(finer))))),
                  sd = attr(VarCorr(finer)$schid, "stddev"))
cat("fits done\n")

# ---- simulations: tests/test_r_to_python.py says how far two of them may differ ----
foreach::registerDoSEQ()
simulated <- merTools::REsim(fit, n.sims = 20000, seed = 20231201)
fixed <- merTools::FEsim(fit, n.sims = 20000, seed = 20231201)
drawn <- suppressWarnings(merTools::plotREsim(simulated[simulated$term == "(Intercept)", ], level = 0.95))
prediction <- merTools::predictInterval(fit, newdata = dat[1:3, ], level = 0.95, n.sims = 20000, stat = "median",
                                        include.resid.var = TRUE, seed = 20231201)
set.seed(20231201)
boot <- confint(null, method = "boot", nsim = 1000, boot.type = "perc", quiet = TRUE)
set.seed(20231201)
new_data <- simulate(null, 200)
out$simulation <- list(
  REsim = list(school = values(simulated$groupID), term = values(simulated$term), mean = values(simulated$mean),
               sd = values(simulated$sd)),
  FEsim = list(mean = values(fixed$mean), sd = values(fixed$sd)),
  plotREsim = list(n = nrow(drawn$data), ymin = values(drawn$data$ymin), ymax = values(drawn$data$ymax),
                   school = values(drawn$data$groupID)),
  predictInterval = rows(prediction[, c("fit", "lwr", "upr")]),
  boot = rows(boot), simulate = list(mean = mean(as.matrix(new_data)), sd = sd(as.matrix(new_data)))
)
cat("simulations done\n")

# ---- description, explained variance, tables ----
by_sector <- psych::describeBy(dat$mathach, dat$schtype, mat = TRUE)
between <- psych::statsBy(transform(dat[c("schid", "ses", "mathach")], schid = as.integer(as.character(schid))), "schid")
out$psych <- list(
  describe = rows(psych::describe(dat[columns])[, c("n", "mean", "sd", "median", "trimmed", "mad", "min", "max", "range",
                                                    "skew", "kurtosis", "se")]),
  describeBy = rows(by_sector[, c("n", "mean", "sd", "median", "min", "max")]),
  statsBy = list(icc1 = values(between$ICC1[c("ses", "mathach")]), icc2 = values(between$ICC2[c("ses", "mathach")]),
                 rwg = between$rwg[1, 2], rbg = between$rbg[1, 2])
)
out$performance <- list(icc = performance::icc(null)$ICC_adjusted,
                        r2 = values(unlist(performance::r2_nakagawa(fit)[c("R2_marginal", "R2_conditional")])))
cells <- flextable::colformat_double(flextable::flextable(head(merTools::hsb, 2)[c("ses", "mathach")]), digits = 3)
text <- as.character(flextable::htmltools_value(cells))
text <- regmatches(text, gregexpr("<t[hd][^>]*>.*?</t[hd]>", text))[[1]]
out$flextable <- values(trimws(gsub("<[^>]*>", "", text)))

writeLines(jsonlite::toJSON(out, digits = NA, auto_unbox = TRUE, pretty = FALSE), output)
cat("wrote", output, file.size(output) / 1024, "KB\n")
