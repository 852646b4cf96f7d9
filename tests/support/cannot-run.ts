/** Something needs what this machine does not have: neither passed nor failed. */
export class CannotRun extends Error {}
