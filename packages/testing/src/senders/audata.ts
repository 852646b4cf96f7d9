/** Audata's sending side: a GET with URL parameters, or a POST of JSON. */

import { jsonPost, type OutgoingDelivery } from "./delivery.ts";

/** The example of the page "Webhooks" with the three typographic quotes it is printed with: not JSON. */
export const audataExampleAsPrinted = `{
    "event": "Listener.updated",
    "sentAt": "2020-03-18T17:41:56.555+11:00",
    "station": “developerfm",
    "sender_id": 1788495,
    "sender": {
        "id": 1788495,
        "first_name": "John",
        "last_name": "Smith",
        "email": "[email protected]",
        "dob": “1990-07-29",
        "station_id": 10405,
        "gender": "male",
        "address1": "58 Stead St",
        "address2": "",
        "suburb": "South Melbourne",
        "postcode": "3205",
        "created_at": "2020-02-26T09:50:31.759+11:00",
        "updated_at": "2020-03-17T23:02:25.624+11:00",
        "uuid": "34c16742-b5a3-444f-954e-cc245564f86b",
        "phone_number": "0412123123",
        "full_address": “123 Stead St South Melbourne VIC 3205",
        "country": "AU",
        "state": "VIC"
    },
    "webhookCallId": "2ae54ecb-930f-4a7a-974d-d84788d9dd12"
}`;

/** The same with straight quotes, as it must be on the wire. */
export const audataExample: string = audataExampleAsPrinted.replaceAll("“", '"');

const sentAt = "sentAt=2020-03-18T17%3A41%3A56.555%2B11%3A00";
const callId = "webhookCallId=2ae54ecb-930f-4a7a-974d-d84788d9dd12";

/**
 * One record as the usual encoders write it into URL parameters. Which of them Audata uses is not documented. Each was
 * made by the encoder it is named after.
 */
export const audataQueries: Readonly<Record<AudataEncoding, string>> = {
  "PHP http_build_query": `event=Listener.updated&${sentAt}&station=developerfm&sender_id=1788495&sender%5Bid%5D=1788495&sender%5Bfirst_name%5D=John&sender%5Baddress2%5D=&sender%5Bpostcode%5D=3205&sender%5Bphone_number%5D=0412123123&sender%5Bfull_address%5D=58+Stead+St&sender%5Bcustom_data%5D%5Bteam%5D%5B0%5D=a&sender%5Bcustom_data%5D%5Bteam%5D%5B1%5D=b&sender%5Bvip%5D=1&${callId}`,
  "Rails to_query": `event=Listener.updated&sender%5Baddress2%5D=&sender%5Bcustom_data%5D%5Bteam%5D%5B%5D=a&sender%5Bcustom_data%5D%5Bteam%5D%5B%5D=b&sender%5Bfirst_name%5D=John&sender%5Bfull_address%5D=58+Stead+St&sender%5Bgender%5D=&sender%5Bid%5D=1788495&sender%5Bphone_number%5D=0412123123&sender%5Bpostcode%5D=3205&sender%5Bvip%5D=true&sender_id=1788495&${sentAt}&station=developerfm&${callId}`,
  HTTParty: `event=Listener.updated&${sentAt}&station=developerfm&sender_id=1788495&sender%5Bid%5D=1788495&sender%5Bfirst_name%5D=John&sender%5Baddress2%5D=&sender%5Bgender%5D=&sender%5Bpostcode%5D=3205&sender%5Bphone_number%5D=0412123123&sender%5Bfull_address%5D=58%20Stead%20St&sender%5Bvip%5D=true&sender%5Bcustom_data%5D%5Bteam%5D%5B%5D=a&sender%5Bcustom_data%5D%5Bteam%5D%5B%5D=b&${callId}`,
  axios: `event=Listener.updated&sentAt=2020-03-18T17:41:56.555%2B11:00&station=developerfm&sender_id=1788495&sender%5Bid%5D=1788495&sender%5Bfirst_name%5D=John&sender%5Baddress2%5D=&sender%5Bpostcode%5D=3205&sender%5Bphone_number%5D=0412123123&sender%5Bfull_address%5D=58+Stead+St&sender%5Bcustom_data%5D%5Bteam%5D%5B0%5D=a&sender%5Bcustom_data%5D%5Bteam%5D%5B1%5D=b&sender%5Bvip%5D=true&${callId}`,
  "qs with dots": `event=Listener.updated&${sentAt}&station=developerfm&sender_id=1788495&sender.id=1788495&sender.first_name=John&sender.address2=&sender.gender=&sender.postcode=3205&sender.phone_number=0412123123&sender.full_address=58%20Stead%20St&sender.custom_data.team%5B0%5D=a&sender.custom_data.team%5B1%5D=b&sender.vip=true&${callId}`,
  "JSON in one parameter": `event=Listener.updated&${sentAt}&station=developerfm&sender_id=1788495&sender=%7B%22id%22%3A1788495%2C%22first_name%22%3A%22John%22%2C%22address2%22%3A%22%22%2C%22gender%22%3Anull%2C%22postcode%22%3A%223205%22%2C%22phone_number%22%3A%220412123123%22%2C%22full_address%22%3A%2258+Stead+St%22%2C%22custom_data%22%3A%7B%22team%22%3A%5B%22a%22%2C%22b%22%5D%7D%2C%22vip%22%3Atrue%7D&${callId}`,
};

/** How a GET nests `sender`. */
export type AudataEncoding =
  | "PHP http_build_query"
  | "Rails to_query"
  | "HTTParty"
  | "axios"
  | "qs with dots"
  | "JSON in one parameter";

/** A POST webhook. `call` is the example or a value of its shape. */
export function audataPost(url: string, call: unknown): OutgoingDelivery {
  return jsonPost(url, call);
}

/** A GET webhook: the query is appended to the URL that was set, which may have one already. */
export function audataGet(url: string, query: string): OutgoingDelivery {
  const joint = url.includes("?") ? "&" : "?";
  return { method: "GET", url: `${url}${joint}${query}`, headers: {}, body: undefined };
}
