import { inbox as any } from "@/site.js";

export {
  any as DELETE,
  any as GET,
  any as HEAD,
  any as OPTIONS,
  any as PATCH,
  any as POST,
  any as PUT,
};
