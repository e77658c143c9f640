/** Variables of the environment, such as `process.env`. */
export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;
