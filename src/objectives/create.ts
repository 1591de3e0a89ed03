/** Every objective by the `type` of a recipe. A new variant is one file beside this one and one line in each list below. */
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import { bnpo, bnpoSchema } from "./bnpo.ts";
import { cispo, cispoSchema } from "./cispo.ts";
import { clipCov, clipCovSchema } from "./clip-cov.ts";
import { dapo, dapoSchema } from "./dapo.ts";
import { dppo, dppoSchema } from "./dppo.ts";
import { drgrpo, drgrpoSchema } from "./drgrpo.ts";
import { gmpo, gmpoSchema } from "./gmpo.ts";
import { gpg, gpgSchema } from "./gpg.ts";
import { grpo, grpoSchema } from "./grpo.ts";
import { grpoPassk, grpoPasskSchema } from "./grpo-passk.ts";
import { gspo, gspoSchema } from "./gspo.ts";
import { ipo, ipoSchema } from "./ipo.ts";
import { klCov, klCovSchema } from "./kl-cov.ts";
import { luspo, luspoSchema } from "./luspo.ts";
import { maxrl, maxrlSchema } from "./maxrl.ts";
import type { Objective } from "./objective.ts";
import { opo, opoSchema } from "./opo.ts";
import { orz, orzSchema } from "./orz.ts";
import { ppo, ppoSchema } from "./ppo.ts";
import { reinforce, reinforceSchema } from "./reinforce.ts";
import { reinforcePlusPlus, reinforcePlusPlusSchema } from "./reinforce++.ts";
import { reinforcePlusPlusBaseline, reinforcePlusPlusBaselineSchema } from "./reinforce++-baseline.ts";
import { remax, remaxSchema } from "./remax.ts";
import { rloo, rlooSchema } from "./rloo.ts";
import { sapo, sapoSchema } from "./sapo.ts";
import { requireGroupSize } from "./terms/baseline.ts";
import { withEntropy, withEntropyOption } from "./terms/entropy.ts";
import { parseOptions } from "./terms/options.ts";
import { topr, toprSchema } from "./topr.ts";
import { vapo, vapoSchema } from "./vapo.ts";
import { vcPpo, vcPpoSchema } from "./vc-ppo.ts";
import { vespo, vespoSchema } from "./vespo.ts";

export const objectiveSchema = z
  .discriminatedUnion("type", [
    withEntropyOption(reinforceSchema),
    withEntropyOption(remaxSchema),
    withEntropyOption(rlooSchema),
    withEntropyOption(opoSchema),
    withEntropyOption(gpgSchema),
    withEntropyOption(reinforcePlusPlusSchema),
    withEntropyOption(reinforcePlusPlusBaselineSchema),
    withEntropyOption(grpoSchema),
    withEntropyOption(drgrpoSchema),
    withEntropyOption(bnpoSchema),
    withEntropyOption(dapoSchema),
    withEntropyOption(clipCovSchema),
    withEntropyOption(klCovSchema),
    withEntropyOption(maxrlSchema),
    withEntropyOption(grpoPasskSchema),
    withEntropyOption(ppoSchema),
    withEntropyOption(orzSchema),
    withEntropyOption(vcPpoSchema),
    withEntropyOption(vapoSchema),
    withEntropyOption(gspoSchema),
    withEntropyOption(gmpoSchema),
    withEntropyOption(cispoSchema),
    withEntropyOption(sapoSchema),
    withEntropyOption(luspoSchema),
    withEntropyOption(vespoSchema),
    withEntropyOption(dppoSchema),
    withEntropyOption(ipoSchema),
    withEntropyOption(toprSchema),
  ])
  .describe("The objective. A type without options is the published algorithm.");

/** Every type, simplest first. */
export const objectiveTypes = objectiveSchema.options.map((variant) => variant.shape.type.value);

/** As written: only `type` is required. */
export type ObjectiveSpec = z.input<typeof objectiveSchema>;
/** As parsed: every option has its value. */
export type ResolvedObjectiveSpec = z.output<typeof objectiveSchema>;

type WithoutEntropy<Spec> = Spec extends unknown ? Omit<Spec, "entropy"> : never;
type VariantSpec = WithoutEntropy<ObjectiveSpec>;

/** The objective of a recipe's `algorithm`. Throws RecipeError where an option does not fit. */
export function createObjective(spec: ObjectiveSpec): Objective {
  const { entropy, ...options } = spec;
  const objective = createVariant(options);
  if (entropy === undefined) return objective;
  const parsed = parseOptions(objectiveSchema, spec);
  return parsed.entropy === undefined ? objective : withEntropy(objective, parsed.entropy, parsed.aggregation);
}

/** The objective by its own file, without what all share. */
function createVariant(options: VariantSpec): Objective {
  const type: string = options.type;
  switch (options.type) {
    case "reinforce":
      return reinforce(options);
    case "remax":
      return remax(options);
    case "opo":
      return opo(options);
    case "gpg":
      return gpg(options);
    case "reinforce++":
      return reinforcePlusPlus(options);
    case "reinforce++-baseline":
      return reinforcePlusPlusBaseline(options);
    case "bnpo":
      return bnpo(options);
    case "maxrl":
      return maxrl(options);
    case "grpo-passk":
      return grpoPassk(options);
    case "rloo":
      return rloo(options);
    case "grpo":
      return grpo(options);
    case "drgrpo":
      return drgrpo(options);
    case "dapo":
      return dapo(options);
    case "clip-cov":
      return clipCov(options);
    case "kl-cov":
      return klCov(options);
    case "ppo":
      return ppo(options);
    case "orz":
      return orz(options);
    case "vc-ppo":
      return vcPpo(options);
    case "vapo":
      return vapo(options);
    case "gspo":
      return gspo(options);
    case "gmpo":
      return gmpo(options);
    case "cispo":
      return cispo(options);
    case "sapo":
      return sapo(options);
    case "luspo":
      return luspo(options);
    case "vespo":
      return vespo(options);
    case "dppo":
      return dppo(options);
    case "ipo":
      return ipo(options);
    case "topr":
      return topr(options);
    default:
      options satisfies never;
      throw unknownType(type);
  }
}

function unknownType(type: string): RecipeError {
  return new RecipeError(`Expected the objective's type to be one of ${objectiveTypes.join(", ")}, got ${type}.`);
}

/** Throws RecipeError when the objective compares siblings and a group has none; for checks before anything is sampled. */
export function checkGroupSize(spec: ObjectiveSpec, groupSize: number): void {
  const { name, comparesSiblings } = createObjective(spec);
  if (comparesSiblings) requireGroupSize(name, groupSize);
}
