/** All detectors together, with their usual settings. */
import type { Alarm, AuditedStep, Detector } from "./audit.ts";
import { dominanceDetector } from "./dominance.ts";
import { lengthCliffDetector, lengthDriftDetector } from "./length.ts";
import { PATTERNS, patternDetector } from "./patterns.ts";
import { shadowDetector } from "./shadow.ts";

export interface AuditOptions {
  /** The reward that the run is about. Default accuracy. */
  readonly primary?: string;
}

/** In the order in which alarms are told. */
export function detectorsOf({ primary = "accuracy" }: AuditOptions = {}): readonly Detector[] {
  return [
    shadowDetector(),
    dominanceDetector({ primary }),
    lengthDriftDetector(),
    lengthCliffDetector(),
    ...PATTERNS.map((pattern) => patternDetector(pattern)),
  ];
}

/** The alarms that a window of steps raises; `steps` in order, the newest last. Pure. */
export function auditSteps(steps: readonly AuditedStep[], options: AuditOptions = {}): Alarm[] {
  return detectorsOf(options).flatMap((detect) => detect(steps) ?? []);
}
