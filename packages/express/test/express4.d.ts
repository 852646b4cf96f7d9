/** Express 4 under a name of its own; its types differ from those of 5 in what does not matter to the tests. */
declare module "express4" {
  import express from "express";
  export default express;
}
