/** A key and its certificate for tests, made for nothing else: anybody knows them. */

import { createPrivateKey, type KeyObject } from "node:crypto";

/** Self-signed, valid from 2010 to 2110. */
export const testCertificate: string = `-----BEGIN CERTIFICATE-----
MIICsDCCAZgCAQEwDQYJKoZIhvcNAQELBQAwHTEbMBkGA1UEAwwSd2ViaG9vay1p
bmJveCB0ZXN0MCAXDTEwMDEwMTAwMDAwMFoYDzIxMTAwMTAxMDAwMDAwWjAdMRsw
GQYDVQQDDBJ3ZWJob29rLWluYm94IHRlc3QwggEiMA0GCSqGSIb3DQEBAQUAA4IB
DwAwggEKAoIBAQDL8+2jfl5Pl+gmtyjQd7lxZuB1Ic/U3uHjNFdhd0l75Tzvm2OA
RejyCUCuBS2LaFDn3PXrDVNpY+gP3c5PdxPcdXAz9jTh/37UGiTXa9fjqoc8m8wy
le3Klyu3cH1rmpWgQL+6q0VQR67hTMiLLzPGXpweMm07tOdCiQNkTOv3tVuCanUA
ykGUKCL4x7KGG+X7pqmt08r+79wyqPq3F/pby9qw2zwloRACE6qG/ZsSVWz6ry+h
Do+Nkyw+X0QIbbHu9Da4ZoUuXZFhcWTT+1lT6YgmAn5OofkA85WaLGkkpdETGG8g
KfXOdcz50cIaEizSesweGa+Zd1SbN3W5Y2gxAgMBAAEwDQYJKoZIhvcNAQELBQAD
ggEBAHUaTIKHuounWyw0YFNVswst2/Lq+jIZXihJuryxy2M/N7dEcfUPlD/+2biC
cTJ5I/Fe8qxIDLWX1h3eCLchNZtcAZMGGnM72Ad3rWMFi+/rW39ejWpilBRkgNwV
KNPk1zlo1N8Jc7ogq+AwB5WuY2C8FdZOm5S45uL+Wn4XYmCyi90VuKfu2zZPsHvN
Rn5jzn8Zz3Awot2tuiitFZw6ADy2iegEsTVoJ4W7y4QN9Bkjp/y2aIDtY2hOfd+4
Mw5HuoFp9/1dS5wpKPZh8thLWIOEXwy4W8LKgIScbfydhFaR13KkhxMb83DfcY2D
qO960+gSJcJKBG+qy6n6zyNB26A=
-----END CERTIFICATE-----
`;

/** The private key of the test certificate: nobody's secret. */
export const testCertificateKey: KeyObject = createPrivateKey(`-----BEGIN PRIVATE KEY-----
MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQDL8+2jfl5Pl+gm
tyjQd7lxZuB1Ic/U3uHjNFdhd0l75Tzvm2OARejyCUCuBS2LaFDn3PXrDVNpY+gP
3c5PdxPcdXAz9jTh/37UGiTXa9fjqoc8m8wyle3Klyu3cH1rmpWgQL+6q0VQR67h
TMiLLzPGXpweMm07tOdCiQNkTOv3tVuCanUAykGUKCL4x7KGG+X7pqmt08r+79wy
qPq3F/pby9qw2zwloRACE6qG/ZsSVWz6ry+hDo+Nkyw+X0QIbbHu9Da4ZoUuXZFh
cWTT+1lT6YgmAn5OofkA85WaLGkkpdETGG8gKfXOdcz50cIaEizSesweGa+Zd1Sb
N3W5Y2gxAgMBAAECggEAAhH35PxkYq1UKuv9sGY90YaGlIKt5+53O9d+8jtSS0uK
Rj92FsLmAzGXS0I8MjmAgoLhjJZ2Jp58b092DsCoHizcUwjr9g0T+JmgOXDi51Rb
50d6dCJT53fBIYLDWkF7Gjb8QlaxmfmQS6Tt/YV2IoVxxOYIIuyt7128caIUBxba
TJwXCgToxVUp+hXDyhDN+cKMEYYtAT7PcJTiHuOvVQ4HUIhVUqTWrYs5sn3xScUR
DFI/dJLgRFh6HZSyyQ1+S4Ws/pIx3yWK0Kj5Y4/MVK9rRFmpvE4WiepT8TgCd9Xk
h+rG/w9Iq44eES9urg2ygTTHOa7cca/gTUBIIGzNUQKBgQD1ugVXRaqYmy6RI6xe
1vJTAZB3RnV2zDm8FFZT+B6GpIZG8ikLDgUG9f70jR2kRCo+tJZycljudwV5EVud
vlfSiA/+yPUh6jqOJH2WkaR6msc7TNDcU6hVdTAmPMfdvFv7GLuQaWdo2HcKF0Iu
t5Ajp12Ilk+LYHrDi4I+xaEv3QKBgQDUes7d5F0Oxl95aBWaTWZcq0s94Oy6RgY0
4H8xX6c54JETgfE7XP0PhxgJ75SJJyR+rt8On0CzeY3oQrjZ0xt39g+XaEsea6h6
rCo4LnhDfexQRb5y6icx4/ESPQre2P3MC6Wt/P2/epaH+XVqiKHj9lNx4AL2YzHv
QP+kOsQ+ZQKBgQDIP/BaTsvX0Z8BaLDwGPsh6gRxL1pKleP3AhvYEjvOPgWvi2kn
OSWfppk/ckDVvTcwIrr4SXdv3k73es3On2+ygm+Gkv4xxVAyxkoSil4gDEKQcOlE
pGhqPDYg8ydt7DKJTn6MEVnUd5OLBalJqQ4uABaZWOU6EEX7VZWu0h+pgQKBgQDM
1Aphm0gd+xuEhNL2aZC42qPw5cgvFVvcU2Ip7YTeZV5VSNmMmWqWMmv5AAzXXnVu
7hK3HMwZd59V/CQIT9rV/M0w7ugjTjMe9qLIf/uNTHGnPGSIkLLyBEObil7VTqby
sXOo0w6mLH26XL9U0JwHjqkISKNyc1NqyeTmo4QUhQKBgQCtT5+WuX+CJGALN8rI
j/fD4rwazNOw9YxKuJErdzpLjPiyodUt73n8EpyUChdP6sWfQhPvwDqLsbvAqUaD
kI19huGFA33X2E4ASrpKJH6NsaUyL6VuvtN9SB2IqaMiMzHZ0KPGdf0zraEpIdbW
JYx4XC4luft9r9uLNo1gEiiaIA==
-----END PRIVATE KEY-----
`);

/** Where signatures of `sign.paypal` and `sign.sns` say that their certificate is. */
export const certificateUrls: { readonly paypal: string; readonly sns: string } = {
  paypal: "https://api.paypal.com/v1/notifications/certs/CERT-test",
  sns: "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-00000000000000000000000000000000.pem",
};

const known: ReadonlySet<string> = new Set(Object.values(certificateUrls));

/**
 * A `fetch` for the inbox under test: it finds the certificate that `sign` signs with, and confirms subscriptions. Anything
 * else is a network that is down.
 */
export const testFetch: typeof fetch = (input) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (known.has(url.href)) return Promise.resolve(new Response(testCertificate));
  return url.searchParams.get("Action") === "ConfirmSubscription"
    ? Promise.resolve(new Response("<ConfirmSubscriptionResponse/>"))
    : Promise.reject(new TypeError(`no network for ${url.host}`));
};
