import type { PrincipalId } from '../domain/ids';
import type { Permission } from './permissions';

/** Who may ask for something. */
export interface Principal {
  id: PrincipalId;
  kind: 'program' | 'person';
  name: string;
  permissions: ReadonlySet<Permission>;
}
