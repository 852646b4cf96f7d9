/** Values that are nearly always here at once, and sometimes have to be fetched first. */

export type Later<T> = T | Promise<T>;

/** Goes on with a value: in the same turn if it is here, so that nothing waits that need not. */
export function andThen<T, R>(value: Later<T>, use: (value: T) => Later<R>): Later<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}
