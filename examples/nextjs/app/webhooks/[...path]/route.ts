import { inbox } from "../../../inbox";

const receive = (request: Request) => inbox().fetch(request);

export { receive as GET, receive as POST };
