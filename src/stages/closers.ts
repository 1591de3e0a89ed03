/** Closes what was opened, last first, whatever happens: Node 20 has no AsyncDisposableStack. */

export class Closers implements AsyncDisposable {
  private readonly opened: AsyncDisposable[] = [];

  /** Registers and returns `resource`. */
  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    this.opened.push(resource);
    return resource;
  }

  /** Every resource is closed even when an earlier one fails; the first failure is thrown at the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (const resource of this.opened.splice(0).reverse()) {
      try {
        await resource[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
