/** One simulator for each of the first three providers. */

export { audata } from "./audata.ts";
export { captainData } from "./captain-data.ts";
export { socialData } from "./socialdata.ts";
