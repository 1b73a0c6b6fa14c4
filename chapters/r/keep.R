# Keep what R prints for each model of the scripts beside this one, for the chapters to show: make reference
#
# The first line of each file names the versions and the check sum of its script, so that a kept
# output which no longer belongs to the script is found out (tests/test_r_output.py).

options(useFancyQuotes = FALSE, width = 80)
versions <- function(...) {
  paste(sapply(c(...), function(p) paste(p, packageVersion(p))), collapse = ", ")
}

keep <- function(script, packages = c("lme4", "lmerTest")) {
  path <- file.path("chapters", "r", script)
  lines <- readLines(path)
  marks <- grep("^# ---- .* ----$", lines)
  sections <- split(lines, findInterval(seq_along(lines), marks))[-1]
  names(sections) <- gsub("^# ---- | ----$", "", lines[marks])

  suppressPackageStartupMessages(eval(parse(text = sections$data), globalenv()))
  header <- sprintf("# R %s, %s; %s has MD5 %s", getRversion(), versions(packages),
                    script, tools::md5sum(path))
  for (name in setdiff(names(sections), c("data", "end"))) {
    code <- parse(text = sections[[name]])
    printed <- capture.output(source(exprs = code, print.eval = TRUE))
    out <- file(file.path("chapters", "r", paste0(name, ".txt")), open = "wb")
    writeLines(c(header, printed), out, sep = "\n")
    close(out)
  }
}

# Each in a process of its own: what one script attaches would mask names in the next.
for (call in list(
  list("models.R"), list("binary.R"), list("time-points.R", c("lme4", "lmerTest", "nlme")),
  list("size-groups.R", c("lme4", "lmerTest", "emmeans")), list("beyond.R")
)) {
  result <- parallel::mccollect(parallel::mcparallel(do.call(keep, call)))[[1]]
  if (inherits(result, "try-error")) stop(result)
}
