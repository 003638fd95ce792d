/**
 * USD/hour of one public IPv4 address, in use or idle, in every region since February 2024:
 * https://aws.amazon.com/blogs/aws/new-aws-public-ipv4-address-charge-public-ip-insights/
 */
export const publicAddressHourly = 0.005;
