import type { CreateText } from './en-create.ts';

/** The same in Chinese. */
export const zhCreate: CreateText = {
  title: '新建镜像',
};
