# Values for tests/test_means.py: type III F tests and a joint hypothesis by lmerTest, marginal means
# and pairwise differences by emmeans, all with Satterthwaite's degrees of freedom at a tight optimum.
# Run from the root of the repository: Rscript tests/reference/means.R
suppressMessages({library(lme4); library(lmerTest); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "satterthwaite", lmerTest.limit = 1e5, pbkrtest.limit = 0)
hsb <- read.csv("data/hsb.csv", colClasses = c(schid = "character"))
hsb$quarter <- cut(hsb$size, c(0, 600, 1100, 1600, 3000), c("small", "medium", "large", "huge"))
hsb$sector <- factor(hsb$schtype, labels = c("public", "Catholic"))
hsb$origin <- factor(hsb$minority, labels = c("majority", "minority"))
hsb$ses_cwc <- hsb$ses - ave(hsb$ses, hsb$schid)
tight <- function(fn, par, lower, upper, control) {
  identity <- as.numeric(lower == 0)
  best <- minqa::bobyqa(identity, fn, lower, control = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5))$par
  best <- minqa::bobyqa(best, fn, lower, control = list(rhobeg = 0.01, rhoend = 1e-11, maxfun = 1e5))$par
  list(par = best, fval = fn(best), conv = 0, message = "tight")
}
control <- lmerControl(optimizer = "tight", boundary.tol = 0, restart_edge = FALSE)
formulas <- list(
  one = mathach ~ ses + quarter + (1 | schid),
  two = mathach ~ ses * quarter + quarter * sector + female + (1 | schid),
  three = mathach ~ origin * sector * quarter + I(ses^2) + ses + (1 | schid),
  slopes = mathach ~ ses_cwc * quarter + minority * ses_cwc + (ses_cwc | schid))
fits <- lapply(formulas, function(f) lmerTest::lmer(f, hsb, control = control))
table <- function(x) {
  x <- as.data.frame(x)
  numbers <- names(x) %in% c("emmean", "estimate", "SE", "df", "lower.CL", "upper.CL", "t.ratio", "p.value")
  list(rows = do.call(paste, lapply(x[!numbers], as.character)), columns = names(x)[numbers],
       values = unname(as.matrix(x[numbers])))
}
anovas <- lapply(fits, function(fit) {
  rows <- as.data.frame(anova(fit))
  list(terms = rownames(rows), F = rows[["F value"]], df1 = rows$NumDF, df2 = rows$DenDF, p = rows[["Pr(>F)"]])
})
joint <- contestMD(fits$two, rbind(c(0, 1, rep(0, 11)), c(rep(0, 6), 1, rep(0, 6))), rhs = c(2, -1))
means <- list(
  one = emmeans(fits$one, "quarter"),
  two_sector = emmeans(fits$two, "sector"),
  two_slopes = emmeans(fits$two, c("quarter", "ses"), at = list(ses = c(-1, 1))),
  three = emmeans(fits$three, c("origin", "quarter")),
  slopes = emmeans(fits$slopes, "minority"))
pairs_of <- function(grid, adjust, ...) table(summary(contrast(grid, "pairwise", ...), infer = TRUE, adjust = adjust))
differences <- list(
  one_tukey = pairs_of(means$one, "tukey"), one_bonferroni = pairs_of(means$one, "bonferroni"),
  one_holm = pairs_of(means$one, "holm"), one_none = pairs_of(means$one, "none"),
  three_by = pairs_of(means$three, "tukey", by = "origin"), three_all = pairs_of(means$three, "tukey"),
  two_sector = pairs_of(means$two_sector, "tukey"))
write_json(list(anova = anovas, joint = list(F = joint[["F value"]], df1 = joint$NumDF, df2 = joint$DenDF, p = joint[["Pr(>F)"]],
                                             names = names(fixef(fits$two))),
                log_likelihood = lapply(fits, function(fit) as.numeric(logLik(fit))),
                means = lapply(means, table), pairwise = differences,
                versions = lapply(c(lme4 = "lme4", lmerTest = "lmerTest", emmeans = "emmeans"),
                                  function(name) as.character(packageVersion(name)))),
           "tests/reference/means.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
