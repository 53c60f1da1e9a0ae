/**
 * What a setting is. The tables of settings are settings_*.ts, joined in settings.ts.
 *
 * @module
 */
import { INT_MAX, type Kind, LONG_MAX } from "./setting_kinds.ts";

/**
 * When a change takes effect: by CONFIG SET; by CONFIG SET for those whom
 * `enable-protected-configs` allows it; by a restart.
 */
export type Change = "live" | "protected" | "restart";

/** One setting. */
export interface Setting<T = unknown> {
  /** Directive name. */
  readonly name: string;
  /** Redis's older name, which works everywhere too. */
  readonly alias?: string;
  /** How values are read and written. */
  readonly kind: Kind<T>;
  /** The default. */
  readonly initial: T;
  /** When a change takes effect. */
  readonly change: Change;
  /** Heading it belongs to. */
  readonly section: string;
  /** What it does, in one line. */
  readonly about: string;
  /** Never shown in errors and logs. */
  readonly secret?: true;
  /** Accepted for Redis's sake; without effect. */
  readonly inert?: true;
}

/** The settings whose values `V` holds, by field. */
export type SettingTable<V> = { readonly [K in keyof V]: Setting<V[K]> };

/** What a row may say beside its fixed columns. */
export interface SettingExtra {
  /** Redis's older name. */
  readonly alias?: string;
  /** Other than by CONFIG SET. */
  readonly change?: Change;
  /** Never shown in errors and logs. */
  readonly secret?: true;
}

/** A maker of rows under one heading. */
export type Section = <T>(
  name: string,
  kind: Kind<T>,
  initial: T,
  about: string,
  extra?: SettingExtra,
) => Setting<T>;

/** Starts a heading of the table. */
export function section(heading: string): Section {
  return (name, kind, initial, about, extra = {}) => ({
    name,
    kind,
    initial,
    about,
    section: heading,
    change: "live",
    ...extra,
  });
}

/** Row extra: changed by a restart only. */
export const RESTART: SettingExtra = { change: "restart" };
/** Range from 0 that fits Redis's long. */
export const FROM_0: { readonly min: number; readonly max: bigint } = { min: 0, max: LONG_MAX };
/** Range from 0 that fits Redis's int. */
export const INT_FROM_0: { readonly min: number; readonly max: number } = { min: 0, max: INT_MAX };
/** Range from 1 that fits Redis's int. */
export const INT_FROM_1: { readonly min: number; readonly max: number } = { min: 1, max: INT_MAX };
/** A port, or 0. */
export const PORT: { readonly min: number; readonly max: number } = { min: 0, max: 65_535 };
