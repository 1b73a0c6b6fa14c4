# Every R call in the text and the tables of the pages, run once: tests/test_code_on_pages.py asks whether a call
# on a page is among them. Run from the root of the repository: Rscript tests/reference/code_on_pages.R
suppressPackageStartupMessages({library(lme4); library(merTools); library(ggplot2); library(flextable); library(emmeans)})
script <- "tests/reference/code_on_pages.R"
output <- "tests/reference/code_on_pages.json"
dat <- merTools::hsb
dat$ses_cwc <- dat$ses - ave(dat$ses, dat$schid)
dat$high <- dat$mathach >= 18
dat$w <- 1
d <- dat[1:550, ]
fit <- lmer(mathach ~ ses_cwc + (ses_cwc | schid), dat)
null <- lmer(mathach ~ 1 + (1 | schid), dat)
ancova <- update(null, . ~ . + ses_cwc)
tested <- lmerTest::lmer(mathach ~ ses_cwc + (1 | schid), d)
dat$quarter <- cut(dat$size, c(0, 600, 1100, 1600, 3000), labels = c("small", "medium", "large", "huge"))
by_size <- lmer(mathach ~ ses + quarter + (1 | schid), dat)
m <- fit
new <- data.frame(ses_cwc = c(-1, 0, 1), schid = "1224")
x <- c(1, 2, 3)
set.seed(1)
made <- data.frame(school = gl(20, 30), class = gl(60, 10), person = gl(60, 10), item = gl(10, 1, 600), x = rnorm(600))
made$y <- rnorm(20)[made$school] + rnorm(60)[made$class] + rnorm(10)[made$item] + rnorm(600)
nested <- c("lmer(y ~ x + (1 | school/class))", "lmer(y ~ x + (1 | person) + (1 | item))")
calls <- c(
  'rownames(installed.packages())', 'library(lme4)', 'c("a", "b")', 'length(x)', 'lapply(1:3, function(x) x^2)',
  'for (i in 1:2) cat(paste0(i, ". ", c("a", "b")[i], "\\n"))', 'utils::packageVersion("lme4")', 'merTools::hsb',
  'head(dat, 6)', 'dat[1:550, ]', 'subset(dat, schid == 1224 | schid == 1462)', 'lm(mathach ~ ses, d)',
  'summary(lm(mathach ~ ses, d))', 'ggplot(d, aes(ses, mathach)) + geom_point()', 'geom_smooth(method = "lm")',
  'geom_smooth(method = "loess")', 'facet_wrap(~schid, nrow = 2)', 'labs(x = "SES", y = "Achievement")',
  'theme_classic()', 'fit <- lmer(mathach ~ ses_cwc + (ses_cwc | schid), dat)', 'summary(fit)', 'fixef(fit)',
  'vcov(fit)', 'VarCorr(fit)', 'sigma(fit)', 'ranef(fit, condVar = TRUE)', 'coef(fit)$schid', 'fitted(fit)',
  'residuals(fit)', 'logLik(fit)', 'REMLcrit(fit)', 'AIC(refitML(fit))', 'BIC(refitML(fit))', 'isSingular(fit)',
  'update(null, . ~ . + ses_cwc)', 'lmer(mathach ~ ses_cwc + (ses_cwc || schid), dat)', 'confint(refitML(fit))', 'confint(fit, method = "Wald")',
  'confint(null, method = "boot")', 'simulate(null, 200)', 'anova(null, ancova)',
  'summary(lmerTest::lmer(mathach ~ ses_cwc + (ses_cwc | schid), dat))', 'predict(fit, new)',
  'predict(fit, new, re.form = NA)', 'predict(fit, new, allow.new.levels = TRUE)', 'predictInterval(fit, new)',
  'REsim(fit, n.sims = 20000)', 'plotREsim(REsim(fit), level = 0.95)', 'FEsim(fit, n.sims = 20000)',
  'psych::describe(dat)', 'psych::describeBy(dat$mathach, dat$schtype)', 'psych::statsBy(dat, "schid")',
  'performance::icc(null)', 'performance::r2_nakagawa(fit)', 'performance::icc', 'performance::r2',
  'flextable(head(dat)) |> colformat_double(digits = 3)', 'lmer(mathach ~ 1 + (1 | schid), dat, weights = w)',
  'glmer(high ~ ses + (1 | schid), dat, family = binomial)', 'summary(tested, ddf = "Kenward-Roger")',
  'anova(tested)', 'emmeans(by_size, "quarter")', 'pairs(emmeans(by_size, "quarter"))', 'levels(m@flist$schid)', 'table(m@flist$schid)', 'nobs(m)', 'ngrps(m)', 'getME(m, "y")',
  'getME(m, "X")', 'getME(m, "theta")', 'coef(m)$schid', 'fixef(m)', 'ranef(m)', 'residuals(m)', 'VarCorr(m)',
  'VarCorr(m)$schid', 'sigma(m)^2', 'sqrt(diag(vcov(m)))', '-2 * logLik(m)',
  'weights = nlme::varIdent(form = ~ 1 | catholic)', nested
)
run <- function(call) {
  code <- parse(text = sub("^weights = ", "", call))
  if (grepl("library", call)) return(class(suppressWarnings(eval(code))))
  scope <- if (call %in% nested) list2env(made) else globalenv()
  invisible(capture.output(value <- suppressWarnings(suppressMessages(eval(code, scope)))))
  class(value)[1]
}
# psych::statsBy wants a group that is a number
dat$schid <- as.integer(as.character(dat$schid))
d$schid <- as.integer(as.character(d$schid))
ran <- lapply(setNames(calls, calls), run)
out <- list(md5 = unname(tools::md5sum(script)), ran = lapply(ran, function(x) x[1]))
writeLines(jsonlite::toJSON(out, auto_unbox = TRUE, pretty = 1, null = "null"), output)
cat("wrote", output, length(calls), "calls\n")
