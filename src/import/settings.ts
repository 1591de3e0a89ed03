/** What another trainer's config says, key by key, and which of it has been looked at. */

export interface Setting {
  /** As the trainer names it: "actor_rollout_ref.actor.optim.lr", "per_device_train_batch_size", "train.batch_size". */
  readonly key: string;
  readonly value: unknown;
  /** "run.sh:14". */
  readonly place: string;
  /** Why the value cannot be known without running the file; absent where it is known. */
  readonly unreadable?: string;
}

/** The settings of one file; the last of two with the same key counts, as it does in all three trainers. */
export class Settings {
  private readonly byKey = new Map<string, Setting>();
  private readonly taken = new Set<string>();
  /** Settings that a later one with the same key replaces. */
  readonly replaced: readonly Setting[];

  constructor(settings: readonly Setting[]) {
    const replaced: Setting[] = [];
    for (const setting of settings) {
      const earlier = this.byKey.get(setting.key);
      if (earlier !== undefined) replaced.push(earlier);
      this.byKey.set(setting.key, setting);
    }
    this.replaced = replaced;
  }

  /** The setting, which is looked at from now on. */
  take(key: string): Setting | undefined {
    const setting = this.byKey.get(key);
    if (setting !== undefined) this.taken.add(key);
    return setting;
  }

  has(key: string): boolean {
    return this.byKey.has(key);
  }

  /** Those that were taken, in the order of the file. */
  takenSettings(): Setting[] {
    return [...this.byKey.values()].filter(({ key }) => this.taken.has(key));
  }

  /** Those that nobody took, in the order of the file. */
  rest(): Setting[] {
    return [...this.byKey.values()].filter(({ key }) => !this.taken.has(key));
  }
}
