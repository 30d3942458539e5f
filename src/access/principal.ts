import type { PrincipalId } from '../domain/ids';
import type { StoredPrincipal } from '../mysql/tables/principals';
import { isPermission, isRole, ROLES, type Permission, type Role } from './permissions';

interface Common {
  id: PrincipalId;
  name: string;
  permissions: ReadonlySet<Permission>;
}

export interface Program extends Common {
  kind: 'program';
}

export interface Person extends Common {
  kind: 'person';
  /** Undefined: was removed, and may do nothing. */
  role: Role | undefined;
  /** 16 digits in hexadecimal. Sessions that began with another one have ended. */
  sessionKey: string;
}

/** Who may ask for something. */
export type Principal = Program | Person;

export function principalOf({ id, kind, name, grants, sessionKey }: StoredPrincipal): Principal {
  if (kind === 'person') {
    const role = isRole(grants) ? grants : undefined;
    const permissions = new Set<Permission>(role === undefined ? [] : ROLES[role]);
    return { id, kind, name, role, permissions, sessionKey: sessionKey ?? '' };
  }
  // A permission that a newer release has given means nothing here.
  return { id, kind, name, permissions: new Set(grants.split(',').filter(isPermission)) };
}
