/** The product's version and the versions of what travels between processes. */

/** The product's version; the same as in package.json (a test holds them together). */
export const productVersion = "0.5.0";

/**
 * The version of the agent–master messages. A master speaks this one and the one before,
 * so that agents can be upgraded after it.
 */
export const wireVersion = 1;
