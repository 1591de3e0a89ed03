/** CPU time of this process since it began, in milliseconds: unlike the wall's it does not grow with the load of the machine. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
