/** The names of all warnings: what `ignoreWarnings` of a recipe takes, and the brackets behind a warning show. */
export const warningNames = [
  "cap-below-median",
  "clip-range",
  "dynamic-sampling-details",
  "eval-context",
  "fixed-reward-length",
  "frozen-reference",
  "kl-k1-in-loss",
  "learning-rate",
  "leave-one-out-std",
  "length-bias",
  "length-constant",
  "masked-majority",
  "never-begins",
  "no-baseline",
  "off-policy",
  "online-window-holds-all",
  "overlong-cap",
  "pair-std",
  "sampling-filters",
  "sampling-temperature",
  "sequence-product",
  "std-of-details",
  "tight-dual-clip",
  "unclipped-updates",
  "uncorrected-server",
  "unused-reference",
  "warmup-never-ends",
  "whitened-solved-groups",
] as const;

/** Stable: recipes and searches rely on it. */
export type WarningName = (typeof warningNames)[number];
