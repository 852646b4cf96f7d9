/** The part of the Standard Schema interface that the inbox uses: zod, valibot, arktype and others fit it. */

export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a schema has made of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** What does not fit a schema, and where. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Event types of a source with their data, such as `{ "job_finished": SocialDataJob }`. */
export type EventMap = Readonly<Record<string, unknown>>;

/** A schema for each event type. */
export type SchemasOf<Events extends EventMap> = {
  readonly [Type in keyof Events]: Schema<Events[Type]>;
};
