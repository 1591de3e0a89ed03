/**
 * What a hostile program is, and three ways to make one.
 *
 * Cheats are tested against a secret that no program was told: the only way to pass is to find it. An accomplice was told, runs first, and
 * tries to hand it on. Probes try what must be refused, and say "held", or what was not.
 */
import type { Language } from "../protocol.ts";
import type { TestCase } from "../tests.ts";
import type { Verdict } from "../verdict.ts";

export interface HostileProgram {
  readonly name: string;
  readonly language: Language;
  readonly source: string;
  readonly test: TestCase;
  /** What a sound sandbox makes of it. */
  readonly expected: readonly Verdict[];
  /** Run before it, with the secret in place of the word SECRET. */
  readonly accomplice?: string;
}

/** In no source of a program that is tested against it. */
export const SECRET = `answer-${8417 * 3}`;
/** How a process that should not be left can be known. */
export const DAEMON_SECONDS = "98765.4321";

/** A program whose output would have to be the secret. */
export function cheat(name: string, expected: readonly Verdict[], source: string, language: Language = "python") {
  return { name, language, source, expected, test: { kind: "stdin", input: "", outputs: [SECRET] } } as const;
}

/** A program whose function `solve` would have to return the secret. */
export function cheatCall(name: string, expected: readonly Verdict[], source: string, language: Language = "python") {
  const test = { kind: "function", function: "solve", input: "[1]", outputs: [SECRET] } as const;
  return { name, language, source, expected, test };
}

/** `second` would have to say what `first` was told. */
export function conspiracy(name: string, first: string, second: string): HostileProgram {
  return { ...cheat(name, ["fail", "crash"], second), accomplice: first };
}

/** `source` fills the list `got` with what was not refused. */
export function probe(name: string, source: string): HostileProgram {
  const framed = `
import os, sys
got = []
def attempt(what, action):
    try:
        action()
        got.append(what)
    except BaseException:
        pass
${source}
print(got or "held")
`;
  const test = { kind: "stdin", input: "", outputs: ["held"] } as const;
  return { name, language: "python", source: framed, expected: ["pass"], test };
}

/** The first lines of programs that call the kernel themselves. */
export const LIBC = "import ctypes, platform\nlibc = ctypes.CDLL(None, use_errno=True)\n";
