// Node finds modules by the whole names of their files.
export default {
  input: 'openapi.json',
  output: { path: 'hey-api', importFileExtension: '.js' },
  plugins: ['@hey-api/client-fetch', '@hey-api/sdk', '@hey-api/typescript'],
};
