export const awsCertificates: Readonly<Record<string, string>> = {};
