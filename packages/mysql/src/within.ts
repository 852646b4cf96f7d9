/** What stands around a transaction. */

import { spoils } from "@webhook-inbox/core/records";
import type { Run } from "./pool.ts";
import { isAnswered } from "./unavailable.ts";

export interface TransactionTerms {
  readonly timeoutMs?: number;
  /** Sees nothing that is committed after its beginning, and writes nothing. */
  readonly isSnapshot?: boolean;
}

/** Runs `work` between START TRANSACTION and COMMIT; rolls back what fails. */
export async function within<T>(
  run: Run,
  work: () => Promise<T>,
  { isSnapshot = false }: Pick<TransactionTerms, "isSnapshot"> = {},
): Promise<T> {
  // Whatever the default is: what is looked at again has to be seen as it is then, and gaps between rows stay free.
  const level = isSnapshot ? "REPEATABLE READ" : "READ COMMITTED";
  const beginning = isSnapshot
    ? "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    : "START TRANSACTION";
  const sure = async (sql: string, because?: unknown): Promise<void> => {
    try {
      await run(sql);
    } catch (error) {
      spoils(because ?? error);
      throw because ?? error;
    }
  };
  await sure(`SET TRANSACTION ISOLATION LEVEL ${level}`);
  await sure(beginning);
  try {
    const result = await work();
    await run("COMMIT AND NO CHAIN NO RELEASE");
    return result;
  } catch (error) {
    if (isAnswered(error)) await sure("ROLLBACK AND NO CHAIN NO RELEASE", error);
    throw error;
  }
}
