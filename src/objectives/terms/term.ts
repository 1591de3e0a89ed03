/** A number of the loss and its derivative by the log-probability of the token it speaks of. */
export interface Term {
  readonly value: number;
  readonly dLogprob: number;
}
