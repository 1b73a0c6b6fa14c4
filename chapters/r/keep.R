# Keep what R prints for each model of models.R, for the chapters to show: make reference
#
# The first line of each file names the versions and the check sum of models.R, so that a kept
# output which no longer belongs to the script is found out (tests/test_r_output.py).

options(useFancyQuotes = FALSE, width = 80)
script <- "chapters/r/models.R"
lines <- readLines(script)
marks <- grep("^# ---- .* ----$", lines)
sections <- split(lines, findInterval(seq_along(lines), marks))[-1]
names(sections) <- gsub("^# ---- | ----$", "", lines[marks])

suppressPackageStartupMessages(eval(parse(text = sections$data)))
versions <- sapply(c("lme4", "lmerTest"), function(p) as.character(packageVersion(p)))
header <- sprintf("# R %s, lme4 %s, lmerTest %s; models.R has MD5 %s", getRversion(),
                  versions[["lme4"]], versions[["lmerTest"]], tools::md5sum(script))

for (name in setdiff(names(sections), c("data", "end"))) {
  printed <- capture.output(source(exprs = parse(text = sections[[name]]), print.eval = TRUE))
  out <- file(file.path("chapters", "r", paste0(name, ".txt")), open = "wb")
  writeLines(c(header, printed), out, sep = "\n")
  close(out)
}
