/** 768-bit arithmetic against constants to 50 digits: OEIS A000796, A001113, A002392, A002193 and the values that follow from them. */
import { describe, expect, it } from "vitest";
import {
  angleBig,
  BIG_ONE,
  type BigFloat,
  expBig,
  fromNumber,
  logBig,
  multiplyBig,
  negateBig,
  piBig,
  sineCosineBig,
  squareRootBig,
  toDouble,
} from "../../../src/verify/math/big-float.ts";

/** The first 50 digits after the point, truncated; the value is positive. */
function digits(value: BigFloat | null): string {
  if (value === null) return "null";
  const scale = 10n ** 50n;
  const { mantissa, exponent } = value;
  const scaled = exponent >= 0 ? (mantissa << BigInt(exponent)) * scale : (mantissa * scale) >> BigInt(-exponent);
  const text = scaled.toString().padStart(51, "0");
  return `${text.slice(0, -50)}.${text.slice(-50)}`;
}

describe("constants", () => {
  it("pi, e, ln 10 and the root of 2", () => {
    expect(digits(piBig())).toBe("3.14159265358979323846264338327950288419716939937510");
    expect(digits(expBig(BIG_ONE))).toBe("2.71828182845904523536028747135266249775724709369995");
    expect(digits(logBig(fromNumber(10)))).toBe("2.30258509299404568401799145468436420760110148862877");
    expect(digits(squareRootBig(fromNumber(2)))).toBe("1.41421356237309504880168872420969807856967187537694");
  });

  it("four times the angle of (1, 1) is pi, and e to the logarithm is the number", () => {
    const quarter = angleBig(BIG_ONE, BIG_ONE);
    expect(digits(quarter === null ? null : multiplyBig(quarter, fromNumber(4)))).toBe(digits(piBig()));
    for (const x of [1e-9, 0.7, 3, 12345.678]) {
      const logarithm = logBig(fromNumber(x));
      expect(toDouble(expBig(logarithm!)!)).toBeCloseTo(x, 12);
    }
  });

  it("sines and angles agree with doubles in every quarter", () => {
    for (const x of [-100, -3, -1.6, -0.2, 0.3, 1.5, 2, 4, 5.5, 1e6]) {
      const [sine, cosine] = sineCosineBig(fromNumber(x))!;
      expect(Math.abs(toDouble(sine) - Math.sin(x))).toBeLessThan(1e-15);
      expect(Math.abs(toDouble(cosine) - Math.cos(x))).toBeLessThan(1e-15);
      const angle = angleBig(fromNumber(Math.sin(x)), fromNumber(Math.cos(x)));
      expect(Math.abs(toDouble(angle!) - Math.atan2(Math.sin(x), Math.cos(x)))).toBeLessThan(1e-15);
    }
  });

  it("what has no value has none", () => {
    expect(logBig(negateBig(BIG_ONE))).toBeNull();
    expect(squareRootBig(negateBig(BIG_ONE))).toBeNull();
    expect(expBig(fromNumber(2 ** 30))).toBeNull();
  });
});
