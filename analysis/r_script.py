"""An R script that computes the same numbers from the same ratings, for whoever trusts R more."""

from analysis.csv_lines import csv_lines

NEEDED = ("session", "condition", "stimulus", "row", "scale", "position", "rating")
SCRIPT = """\
# The numbers of results.json, computed anew by R from analysed.csv (beside this file), and written to by_R.csv:
#   Rscript analysis.R
# Needs: install.packages(c("lme4", "lmerTest", "emmeans", "ordinal"))
# Tried with R 4.2.2, lme4 1.1-31, lmerTest 3.1-3, emmeans 1.8.4-1, ordinal 2022.11-16.
suppressPackageStartupMessages({
  library(lme4); library(lmerTest); library(emmeans); library(ordinal)
})
emm_options(lmerTest.limit = 1e7)
whole <- read.csv("analysed.csv", colClasses = "character", na.strings = character(), fileEncoding = "UTF-8",
                  check.names = FALSE)
# Cells that a spreadsheet would run have an apostrophe before them.
whole[] <- lapply(whole, function(x) sub("^'(?='*[=+@\\t\\r-])", "", x, perl = TRUE))
whole$rating <- as.numeric(whole$rating)
if (is.null(whole$scale)) whole$scale <- ""

found <- list()
note <- function(scale, quantity, term, value)
  found[[length(found) + 1]] <<- data.frame(scale, quantity, term, value = as.numeric(value))

report <- function(d, scale) {
  # Names in the order of their characters, whatever the language of this machine says.
  for (name in c("session", "condition", "stimulus", "row"))
    d[[name]] <- factor(d[[name]], levels = sort(unique(d[[name]]), method = "radix"))
  d$clip <- factor(paste(as.integer(d$condition), as.integer(d$stimulus)))
  for (part in split(d, list(d$condition, d$row), drop = TRUE))
    these_clips(part, scale, "row", paste(part$condition[1], part$row[1], sep = ": "))
  for (part in split(d, d$condition, drop = TRUE))
    these_clips(part, scale, "condition", as.character(part$condition[1]))
  if (nlevels(d$condition) < 2 || nlevels(d$clip) == nlevels(d$condition) || nlevels(d$session) < 2) return()
  paired(d, scale)
  mixed(d, scale)
  if (length(unique(d$rating)) > 2) ordered_answers(d, scale)
}

these_clips <- function(d, scale, level, name) {
  means <- tapply(d$rating, droplevels(d$session), mean)
  k <- length(means)
  note(scale, paste(level, "n"), name, nrow(d))
  note(scale, paste(level, "mean"), name, mean(d$rating))
  note(scale, paste(level, "sd"), name, sd(d$rating))
  if (k > 1) {
    reach <- qt(.975, k - 1) * sd(means) / sqrt(k)
    note(scale, paste(level, "low"), name, mean(means) - reach)
    note(scale, paste(level, "high"), name, mean(means) + reach)
  }
}

paired <- function(d, scale) {
  means <- tapply(d$rating, list(d$session, d$condition), mean)
  means <- means[complete.cases(means), , drop = FALSE]
  if (nrow(means) < 2) return()
  friedman <- friedman.test(means)
  note(scale, "friedman chi2", "", friedman$statistic); note(scale, "friedman p", "", friedman$p.value)
  for (two in combn(colnames(means), 2, simplify = FALSE)) {
    difference <- means[, two[1]] - means[, two[2]]
    if (sd(difference) > 1e-9) {
      t <- t.test(difference)
      name <- paste(two, collapse = " - ")
      note(scale, "pair, these clips: difference", name, t$estimate)
      note(scale, "pair, these clips: low", name, t$conf.int[1])
      note(scale, "pair, these clips: high", name, t$conf.int[2])
      note(scale, "pair, these clips: p", name, t$p.value)
    }
  }
}

mixed <- function(d, scale) {
  m <- lmer(rating ~ condition + (1 | session) + (1 | clip), d, REML = TRUE)
  variances <- as.data.frame(VarCorr(m))
  for (k in seq_len(nrow(variances))) note(scale, "variance", variances$grp[k], variances$vcov[k])
  note(scale, "reml", "", REMLcrit(m))
  e <- emmeans(m, "condition", lmer.df = "satterthwaite")
  table <- as.data.frame(e)
  for (column in c("emmean", "SE", "df", "lower.CL", "upper.CL"))
    for (k in seq_len(nrow(table))) note(scale, paste("condition, new clips:", column), as.character(table$condition[k]), table[[column]][k])
  each <- pairs(e)
  table <- cbind(as.data.frame(confint(each, adjust = "none")), p = as.data.frame(summary(each, adjust = "none"))$p.value,
                 holm = as.data.frame(summary(each, adjust = "holm"))$p.value)
  names <- combn(levels(d$condition), 2, paste, collapse = " - ")
  for (column in c("estimate", "SE", "df", "lower.CL", "upper.CL", "p", "holm"))
    for (k in seq_along(names)) note(scale, paste("pair, new clips:", column), names[k], table[[column]][k])
}

ordered_answers <- function(d, scale) {
  d$answer <- factor(d$rating, ordered = TRUE)
  o <- clmm(answer ~ condition + (1 | session) + (1 | clip), d)
  for (k in 2:nlevels(d$condition))
    note(scale, "ordered: coefficient", levels(d$condition)[k], o$beta[k - 1])
  note(scale, "ordered: log likelihood", "", logLik(o))
  spread <- sapply(VarCorr(o), function(v) sqrt(v[1]))
  for (name in names(spread)) note(scale, "ordered: sd", name, spread[[name]])
}

for (scale in unique(whole$scale)) report(whole[whole$scale == scale, ], scale)
result <- do.call(rbind, found)
write.table(transform(result, value = signif(value, 10)), row.names = FALSE, quote = FALSE, sep = "\\t")
write.csv(transform(result, value = sprintf("%.17g", value)), "by_R.csv", row.names = FALSE, fileEncoding = "UTF-8")
"""


def analysed_csv(frame):
    """Yield the ratings that were analysed as lines of CSV, sorted: what the script reads.

    frame: as `ratings.read` returns it
    """
    names = [name for name in NEEDED if name in frame]
    ordered = frame[names].sort_values([name for name in names if name != "rating"], kind="stable").convert_dtypes()
    return csv_lines(names, ordered.itertuples(index=False, name=None))
