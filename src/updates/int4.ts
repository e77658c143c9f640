import { ERROR_FEEDBACK } from "./error-feedback.ts";
import { quantised } from "./quantised.ts";
import { defineStage } from "./stage.ts";

/** Sends whole numbers of 4 bits, with a scale for each rank component. */
export const int4 = defineStage({
  settings: { errorFeedback: ERROR_FEEDBACK },
  make: ({ errorFeedback = true }) => quantised("int4", 4, errorFeedback),
});
