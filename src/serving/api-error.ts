import { UserError } from "../diagnostics/user-error.ts";

/** HTTP statuses of failed requests. */
type Status = 400 | 401 | 403 | 404 | 405 | 413 | 415 | 500 | 503;

/** What clients read as the error's name where nothing more exact is known. */
const CODES: Readonly<Record<Status, string>> = {
  400: "invalid_request",
  401: "invalid_api_key",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  413: "body_too_large",
  415: "unsupported_media_type",
  500: "internal_error",
  503: "unavailable",
};

/** An error in the shape OpenAI's clients read. */
export class ApiError extends Error {
  readonly status: Status;
  readonly code: string;
  /** The parameter that is wrong, `messages[0].content`. */
  readonly param: string | null;

  constructor(
    status: Status,
    message: string,
    { code = CODES[status], param = null, cause }: { code?: string; param?: string | null; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.param = param;
  }

  get body(): { error: { message: string; type: string; param: string | null; code: string } } {
    const { message, status, param, code } = this;
    return { error: { message, type: status < 500 ? "invalid_request_error" : "server_error", param, code } };
  }
}

/** Joins a problem and its hint. */
export function withHint({ message, hint }: { readonly message: string; readonly hint?: string | undefined }): string {
  return hint === undefined ? message : `${message}. ${hint}`;
}

/** Turns an error into the answer to a failed request. The details of a defect are not sent to the client. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  // Everything else was opened at the start, so the mistake is in the request.
  if (thrown instanceof UserError) return new ApiError(400, withHint(thrown), { cause: thrown });
  return new ApiError(500, "the server failed at this request; see its log", { cause: thrown });
}
