export const GET = () => new Response("mine");
