import { UserError } from "../diagnostics/user-error.ts";

/** Statuses that a request can end with. */
type Status = 400 | 401 | 403 | 404 | 405 | 413 | 415 | 500 | 503;

/** An error in the shape OpenAI's clients read. */
export class ApiError extends Error {
  readonly status: Status;
  readonly code: string | null;
  /** The parameter that is wrong, `messages[0].content`. */
  readonly param: string | null;

  constructor(
    status: Status,
    message: string,
    { code = null, param = null, cause }: { code?: string | null; param?: string | null; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.param = param;
  }

  get body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { message, status, param, code } = this;
    return { error: { message, type: status < 500 ? "invalid_request_error" : "server_error", param, code } };
  }
}

/** A problem and what to do about it as one text. */
export function withHint({ message, hint }: { readonly message: string; readonly hint?: string | undefined }): string {
  return hint === undefined ? message : `${message}. ${hint}`;
}

/** Turns an error into the answer to a failed request. A defect of this program says no more than that it is one. */
export function asApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  // All that is opened was opened at the start: what a person can mend now is the request.
  if (thrown instanceof UserError) return new ApiError(400, withHint(thrown), { cause: thrown });
  return new ApiError(500, "the server failed at this request; its log says more", { cause: thrown });
}
