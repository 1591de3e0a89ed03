import { describe } from "vitest";
import { testEngineContract } from "./contract.ts";
import { hasNativeEngine } from "./fixtures.ts";

describe.skipIf(!hasNativeEngine)(hasNativeEngine ? "native" : "native (grouper setup has not been run)", () => {
  testEngineContract("cpu");
});
