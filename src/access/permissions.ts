/** What a caller may be allowed to do. The permissions of a program's keys are also called their scopes. */
export const PERMISSIONS = {
  'orders:write': 'create and delete orders',
  'catalogue:write': 'add and remove products and users',
  'reports:read': 'read orders, reports, products and users',
  admin: 'everything',
} as const;

export type Permission = keyof typeof PERMISSIONS;

export function isPermission(text: string): text is Permission {
  return Object.hasOwn(PERMISSIONS, text);
}

export function permits(granted: ReadonlySet<Permission>, needed: Permission): boolean {
  return granted.has(needed) || granted.has('admin');
}

/** What the roles of people allow. */
export const ROLES = {
  viewer: ['reports:read'],
  operator: ['reports:read', 'orders:write', 'catalogue:write'],
  admin: ['admin'],
} as const satisfies Record<string, readonly Permission[]>;

export type Role = keyof typeof ROLES;

export function isRole(text: string): text is Role {
  return Object.hasOwn(ROLES, text);
}
