/**
 * Doubles in text, as Redis 7.2 writes and reads them.
 *
 * @module
 */

/**
 * The shortest decimal text that reads back as `n`, in the form Redis 7.2 replies with (`d2string` in
 * its util.c): whole numbers below 2^52 plain, `inf`, `-inf`, `nan`, and an exponent only where the
 * digits would lie far from the point (`1e+21`, `1e-7`).
 */
export function formatDouble(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (n === Infinity) return "inf";
  if (n === -Infinity) return "-inf";
  if (n === 0) return Object.is(n, -0) ? "-0" : "0";
  if (Number.isInteger(n) && Math.abs(n) < 2 ** 52) return String(n);
  const sign = n < 0 ? "-" : "";
  const [mantissa, power] = Math.abs(n).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  // n = 0.digits * 10^(point), = digits * 10^k
  const exponent = Number(power);
  const k = exponent - digits.length + 1;
  if (k >= 0 && exponent < digits.length + 7) return sign + digits + "0".repeat(k);
  if (k < 0 && (k > -7 || Math.abs(exponent) < 4)) {
    const point = digits.length + k;
    if (point <= 0) return sign + "0." + "0".repeat(-point) + digits;
    return sign + digits.slice(0, point) + "." + digits.slice(point);
  }
  const fraction = digits.length > 1 ? "." + digits.slice(1) : "";
  return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`;
}
