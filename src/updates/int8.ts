import { ERROR_FEEDBACK } from "./error-feedback.ts";
import { quantised } from "./quantised.ts";
import { defineStage } from "./stage.ts";

/** Sends whole numbers of 8 bits, with a scale for each rank component. Rounded at random they need no error feedback. */
export const int8 = defineStage({
  settings: { errorFeedback: ERROR_FEEDBACK },
  make: ({ errorFeedback = false }) => quantised("int8", 8, errorFeedback),
});
