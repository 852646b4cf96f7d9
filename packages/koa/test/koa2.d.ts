/** Koa 2 under a name of its own. */
declare module "koa2" {
  import Koa from "koa";
  export default Koa;
}
