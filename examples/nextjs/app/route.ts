export const GET = () => new Response("every other route is yours");
